// The page of a purchase moves by itself: it asks for the state until the way is at an end, faster while something
// is about to happen.
import { visit } from "./nav";
import { say } from "./words";

interface State { state: string; words: string; next?: string }

const ended = new Set(["yours", "rejected", "expired", "revoked"]);

/** How long to wait before the next question, in milliseconds: briskly at first, calmly after a while. */
export function pause(state: string, asked: number, failures: number): number {
  if (failures > 0) return Math.min(30_000, 1000 * 2 ** failures);
  if (state === "waiting" || state === "held") return asked < 20 ? 300 : asked < 60 ? 1000 : asked < 200 ? 3000 : 10_000;
  return asked < 20 ? 250 : asked < 40 ? 500 : 2000;
}

export function order(root: HTMLElement): void {
  const url = root.dataset.stateUrl;
  let state = root.dataset.state ?? "";
  if (!url || ended.has(state)) return;
  let asked = 0;
  let failures = 0;
  const words = root.querySelector<HTMLElement>("[data-words] p");
  const again = () => setTimeout(() => void ask(), document.hidden ? 5000 : pause(state, asked, failures));
  const ask = async () => {
    if (!root.isConnected) return;
    asked++;
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (!answer.ok) throw new Error(String(answer.status));
      const now = (await answer.json()) as State;
      failures = 0;
      if (!root.isConnected) return;
      if (now.state !== state) {
        state = now.state;
        // The server draws each state; the page is fetched anew and the focus stays in the content.
        await visit(now.next || location.href);
        return;
      }
      if (now.words && words && words.textContent !== now.words) words.textContent = now.words;
    } catch {
      failures++;
      if (failures === 3 && words) words.textContent = say("order.offline");
    }
    again();
  };
  again();
}

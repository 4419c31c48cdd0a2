// Sends JSON to the own server and shows what it refuses beside the field it is about.
import { say } from "./words";

/** A refusal in words, and the field it belongs to ("" for the whole form). */
export class Refusal extends Error {
  constructor(message: string, readonly field = "") {
    super(message);
  }
}

/** Posts JSON and gives the answer; a Refusal says in words what went wrong. */
export async function postJSON<T>(url: string, body: unknown): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      credentials: "same-origin",
      body: JSON.stringify(body),
    });
  } catch {
    throw new Refusal(say("post.offline"));
  }
  const said = (await answer.json().catch(() => ({}))) as T & { error?: string; field?: string };
  if (answer.ok && !said.error) return said;
  throw new Refusal(said.error || say(answer.status === 429 ? "post.slow" : answer.status >= 500 ? "post.broken" : "post.refused"), said.field);
}

/** Takes all messages of a form away. */
export function clearErrors(root: HTMLElement): void {
  for (const p of root.querySelectorAll<HTMLElement>("[data-error]")) {
    p.hidden = true;
    p.textContent = "";
  }
  for (const i of root.querySelectorAll("[aria-invalid]")) i.removeAttribute("aria-invalid");
}

/** Shows a message at its field and puts the focus there. */
export function showError(root: HTMLElement, error: unknown): void {
  const refusal = error instanceof Refusal ? error : new Refusal(say("post.unexpected"));
  if (!(error instanceof Refusal)) console.error(error);
  const place = root.querySelector<HTMLElement>(`[data-error="${CSS.escape(refusal.field)}"]`)
    ?? root.querySelector<HTMLElement>('[data-error=""]');
  if (!place) return;
  place.textContent = refusal.message;
  place.hidden = false;
  const input = place.dataset.error ? document.getElementById(place.id.replace(/-error$/, "")) : null;
  input?.setAttribute("aria-invalid", "true");
  input?.focus();
}

/** Runs the work of a form once at a time, with words on its button. */
export function onSubmit(form: HTMLFormElement, busy: () => string, work: () => Promise<void>): void {
  let at = false;
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    if (at) return;
    at = true;
    clearErrors(form);
    const button = form.querySelector<HTMLButtonElement>('button[type="submit"]')!;
    const before = button.textContent;
    button.textContent = busy();
    button.setAttribute("aria-busy", "true");
    work().catch((error) => showError(form, error)).finally(() => {
      at = false;
      button.textContent = before;
      button.removeAttribute("aria-busy");
    });
  });
}

/** A place on this site to go to, never another site. */
export function localPath(...wishes: (string | undefined)[]): string {
  for (const wish of wishes) {
    if (!wish) continue;
    const to = new URL(wish, location.href);
    if (to.origin === location.origin) return to.pathname + to.search + to.hash;
  }
  return "/";
}

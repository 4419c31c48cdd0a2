// Copy buttons: each copies the text beside it, or the input of its group.
import { announce, say } from "./words";

export function copy(root: HTMLElement): void {
  for (const button of root.querySelectorAll<HTMLButtonElement>("[data-copy]")) {
    button.addEventListener("click", () => {
      const near = button.parentElement?.querySelector<HTMLElement>("[data-copy-from],code");
      const text = near instanceof HTMLInputElement ? near.value : near?.textContent ?? "";
      void copyText(text, button);
    });
  }
}

/** Copies a text and says on the button whether that worked. */
export async function copyText(text: string, button: HTMLElement): Promise<void> {
  const label = button.querySelector("span") ?? button;
  const before = label.textContent;
  let words: string;
  try {
    await navigator.clipboard.writeText(text);
    words = say("copy.done");
  } catch {
    words = say("copy.failed");
  }
  label.textContent = words;
  announce(words);
  setTimeout(() => (label.textContent = before), 2500);
}

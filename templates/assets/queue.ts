// The panel that shows what the player plays next. What is in the queue, the player decides.
import type { Item } from "./item";

/** Fills the list with the queue's tracks; at is the place of the one that is on, play is told the place of one to play. */
export function listQueue(list: HTMLElement, queue: Item[], at: number, play: (place: number) => void): void {
  list.replaceChildren(...queue.map((item, i) => {
    const button = document.createElement("button");
    button.type = "button";
    const title = Object.assign(document.createElement("span"), { textContent: item.title, dir: "auto" });
    const by = Object.assign(document.createElement("span"), { textContent: item.artist, dir: "auto", className: "quiet" });
    button.append(title, by);
    if (i === at) button.setAttribute("aria-current", "true");
    button.onclick = () => play(i);
    const li = document.createElement("li");
    li.append(button);
    return li;
  }));
}

/** Opens or closes the panel that a button stands for; the focus goes to the track that is on. */
export function showQueue(toggle: HTMLElement, on: boolean): void {
  const panel = document.getElementById("queue")!;
  toggle.setAttribute("aria-expanded", String(on));
  panel.hidden = !on;
  if (on) (panel.querySelector<HTMLElement>("[aria-current]") ?? panel.querySelector("button"))?.focus();
}

// What plays and stops the music beside the player's own buttons: the keyboard, and the keys of the system.

/** What the player does when it is told. */
export interface Controls {
  toggle(): void;
  next(): void;
  previous(): void;
  /** Goes on by so many seconds, or back. */
  jump(seconds: number): void;
  /** Goes to a place, in seconds. */
  seek(to: number): void;
}

const step = 5;

/** Does what a key stands for, unless it is meant for something else on the page. */
export function onShortcut(e: KeyboardEvent, player: Controls): void {
  if (e.defaultPrevented || e.metaKey || e.ctrlKey || e.altKey || e.shiftKey) return;
  const on = e.target as HTMLElement;
  if (on.isContentEditable || on.closest("input,textarea,select,[role=region]")) return;
  // Space presses the control that has the focus.
  if (e.key === " " && on.closest("button,a,summary,label")) return;
  const rtl = document.documentElement.dir === "rtl" ? -1 : 1;
  const keys: Record<string, () => void> = {
    " ": player.toggle,
    n: player.next,
    p: player.previous,
    ArrowLeft: () => player.jump(-step * rtl),
    ArrowRight: () => player.jump(step * rtl),
  };
  const act = keys[e.key];
  if (!act) return;
  e.preventDefault();
  act();
}

/** Takes the keys of the system, the lock screen and the headphones. */
export function takeMediaKeys(player: Controls): void {
  if (!("mediaSession" in navigator)) return;
  const session = navigator.mediaSession;
  session.setActionHandler("play", player.toggle);
  session.setActionHandler("pause", player.toggle);
  session.setActionHandler("previoustrack", player.previous);
  session.setActionHandler("nexttrack", player.next);
  session.setActionHandler("seekto", (d) => d.seekTime !== undefined && player.seek(d.seekTime));
  session.setActionHandler("seekbackward", (d) => player.jump(-(d.seekOffset ?? 10)));
  session.setActionHandler("seekforward", (d) => player.jump(d.seekOffset ?? 10));
}

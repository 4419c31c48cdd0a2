// What a play button plays, read from the page before the page goes away.

/** One track in the queue. */
export interface Item {
  uri: string;
  url: string;
  title: string;
  artist: string;
  artistUrl: string;
  cover: string;
  hue: string;
  peaks: string;
  preview: string;
  buy: string;
  /** The whole track's length in seconds. */
  length: number;
  /** Whether the whole track can be played, not the preview only. */
  owned: boolean;
  /** A fresh copy of its cover. */
  picture(): Node;
}

/** The track of a play button, or undefined when there is nothing to play. */
export function itemOf(button: HTMLElement): Item | undefined {
  const root = button.closest<HTMLElement>("[data-track]");
  const d = root?.dataset;
  if (!root || !d?.track) return undefined;
  const owned = d.owned !== undefined;
  if (!owned && !d.preview) return undefined;
  // A long list says each name once: in what one reads.
  const name = root.querySelector<HTMLAnchorElement>(".row-title");
  const by = root.querySelector<HTMLAnchorElement>(".row-artist");
  const drawn = (root.querySelector(".cover") ?? document.createElement("span")).cloneNode(true) as HTMLElement;
  drawn.removeAttribute("loading");
  return {
    uri: d.track, url: d.url ?? name?.getAttribute("href") ?? "", title: d.title ?? name?.textContent ?? "",
    artist: d.artist ?? by?.textContent ?? "", artistUrl: d.artistUrl ?? by?.getAttribute("href") ?? "",
    cover: d.cover ?? root.querySelector(".cover")?.getAttribute("src") ?? "",
    hue: d.hue ?? [...root.classList].find((c) => c.startsWith("hue-")) ?? "", peaks: d.peaks ?? "", preview: d.preview ?? "", buy: d.buy ?? "",
    length: Number(d.length) || 0, owned, picture: () => drawn.cloneNode(true),
  };
}

/** The play buttons of a list, in order. */
export function buttonsOf(list: Element): HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>("[data-play]")];
}

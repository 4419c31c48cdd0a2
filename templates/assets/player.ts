// The player at the foot of every page. It stays while pages come and go: previews as plain sound, bought tracks as
// streams, one queue, two audio elements so that the next track is ready when one ends.
import { onShortcut, takeMediaKeys, type Controls } from "./controls";
import { buttonsOf, itemOf, type Item } from "./item";
import { pageEvent } from "./nav";
import type { Quality, Stream } from "./stream";
import { faultOf } from "./faults";
import { listQueue, showQueue } from "./queue";
import { store, stored } from "./stored";
import { announce, clock, hasText, say } from "./words";
import { drawWave, peaksOf } from "./wave";

interface Deck { audio: HTMLAudioElement; item?: Item; stream?: Stream; ready?: boolean; qualities: Quality[] }

const shell = document.getElementById("player")!;
const decks: [Deck, Deck] = [{ audio: new Audio(), qualities: [] }, { audio: new Audio(), qualities: [] }];
let deck = decks[0];
let queue: Item[] = [];
let at = -1;
let wanted = false;
let seeking = false;

const part = <T extends HTMLElement>(name: string) => shell.querySelector<T>(`[data-${name}]`)!;

/** Plays the track of a play button, or stops and goes on with it; its list becomes the queue. */
export async function playFrom(button: HTMLElement): Promise<void> {
  const item = itemOf(button);
  if (!item) return;
  if (deck.item && same(deck.item, item) && !shell.hidden && !deck.audio.error) {
    toggle();
    return;
  }
  const list = button.closest("[data-queue]");
  queue = list ? buttonsOf(list).map(itemOf).filter((i): i is Item => !!i) : [item];
  at = Math.max(0, queue.findIndex((i) => same(i, item)));
  await go(at);
}

/** Gets ready for a press on the button. */
export function prepare(button: HTMLElement): void {
  const item = itemOf(button);
  if (!item?.owned) return;
  void import("./stream").then(async (s) => s.supported() && (await s.open(item.uri))).catch(() => undefined);
}

/** Fetches the code for bought music, but nothing of the music. */
export function ahead(): void {
  void import("./stream");
}

const controls: Controls = { toggle, next: () => void go(at + 1), previous, jump, seek: (to) => (deck.audio.currentTime = to) };

const same = (a: Item, b: Item) => a.uri === b.uri && a.owned === b.owned;

function build(): void {
  if (shell.firstElementChild) return;
  const pattern = document.getElementById("player-shell") as HTMLTemplateElement;
  shell.append(pattern.content.cloneNode(true));
  part("toggle").onclick = toggle;
  part("previous").onclick = previous;
  part("next").onclick = () => void go(at + 1);
  const seek = part<HTMLInputElement>("seek");
  seek.addEventListener("input", () => {
    seeking = true;
    drawTime(Number(seek.value));
  });
  seek.addEventListener("change", () => {
    seeking = false;
    deck.audio.currentTime = Number(seek.value);
  });
  const volume = part<HTMLInputElement>("volume");
  volume.value = stored("volume", "1");
  const loud = () => {
    for (const d of decks) d.audio.volume = Math.min(1, Math.max(0, Number(volume.value)));
  };
  loud();
  volume.addEventListener("input", () => {
    loud();
    store("volume", volume.value);
    mute(false);
  });
  part("mute").onclick = () => mute(!deck.audio.muted);
  part<HTMLSelectElement>("quality").addEventListener("change", (e) => {
    const name = (e.target as HTMLSelectElement).value;
    store("quality", name);
    deck.stream?.choose(name);
  });
  const open = part("queue-toggle");
  open.onclick = () => showQueue(open, open.getAttribute("aria-expanded") !== "true");
  const keys = part<HTMLInputElement>("shortcuts");
  keys.checked = stored("shortcuts", "on") === "on";
  keys.addEventListener("change", () => store("shortcuts", keys.checked ? "on" : "off"));
  document.addEventListener("keydown", onKey);
  document.addEventListener(pageEvent, mark);
  new ResizeObserver(drawWaveNow).observe(part("wave"));
  matchMedia("(prefers-color-scheme:dark)").addEventListener("change", drawWaveNow);
  takeMediaKeys(controls);
  shell.hidden = false;
}

for (const d of decks) {
  const { audio } = d;
  audio.preload = "auto";
  audio.addEventListener("timeupdate", () => d === deck && tick());
  audio.addEventListener("durationchange", () => d === deck && tick());
  audio.addEventListener("ended", () => d === deck && ended());
  audio.addEventListener("playing", () => {
    if (d !== deck) return;
    tell("");
    drawState();
  });
  for (const type of ["play", "pause", "waiting"]) audio.addEventListener(type, () => d === deck && drawState());
  audio.addEventListener("error", () => {
    // A stream tells its own failures; what is left is a preview that does not load.
    if (d === deck && d.item && !d.stream && audio.getAttribute("src")) fail(say("player.missing.preview"));
  });
}

async function go(index: number): Promise<void> {
  const item = queue[index];
  if (!item) return;
  build();
  at = index;
  wanted = true;
  const other = decks[0] === deck ? decks[1] : decks[0];
  if (other.item && same(other.item, item) && other.ready) {
    release(deck);
    deck = other;
  } else {
    release(other);
    await load(deck, item);
  }
  show(item);
  void begin(deck);
}

async function load(d: Deck, item: Item): Promise<void> {
  release(d);
  d.item = item;
  d.ready = true;
  if (!item.owned) {
    d.audio.src = item.preview;
    return;
  }
  if (d === deck) {
    show(item);
    tell(say("player.opening"));
  }
  const streams = await import("./stream");
  if (d.item !== item) return;
  if (!streams.supported()) {
    failed(d, new Error("unsupported"), say("player.unsupported"));
    return;
  }
  d.stream = streams.start(d.audio, item.uri, stored("quality", "auto"), {
    qualities: (all) => {
      d.qualities = all;
      if (d === deck) drawQualities();
    },
    peaks: (peaks) => {
      item.peaks ||= peaks;
      if (d === deck) drawWaveNow();
    },
    trouble: (error) => {
      // While enough is in hand, nothing is heard of it and nothing is said.
      if (d === deck && d.audio.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) tell(faultOf(error).words, "error");
    },
    failed: (error) => d.item === item && failed(d, error),
  });
}

async function begin(d: Deck): Promise<void> {
  try {
    await d.audio.play();
  } catch (error) {
    if (d !== deck) return;
    if ((error as DOMException).name === "NotAllowedError") {
      wanted = false;
      tell(say("player.blocked"));
    }
    drawState();
  }
}

function release(d: Deck): void {
  d.stream?.destroy();
  d.stream = undefined;
  d.item = undefined;
  d.ready = false;
  d.qualities = [];
  d.audio.pause();
  d.audio.removeAttribute("src");
  d.audio.load();
}

function failed(d: Deck, error: unknown, words?: string): void {
  d.ready = false;
  if (d !== deck) {
    release(d);
    return;
  }
  const item = d.item;
  const fault = words ? { words, act: "again" as const } : faultOf(error);
  if (!words) console.warn("player:", error);
  d.audio.pause();
  const acts = {
    login: { text: say("player.login"), run: () => location.assign("/login?next=" + encodeURIComponent(location.pathname)) },
    pool: { text: say("player.pool"), run: () => void import("./nav").then((n) => n.visit("/pool")) },
    again: { text: say("player.again"), run: () => item && void go(at) },
  };
  fail(fault.words, acts[fault.act]);
}

function fail(words: string, act?: { text: string; run: () => void }): void {
  wanted = false;
  tell(words, "error", act);
  drawState();
}

function tell(words: string, kind = "", act?: { text: string; run: () => void }): void {
  const place = shell.querySelector<HTMLElement>("[data-words]");
  if (!place || (!words && !place.textContent)) return;
  place.dataset.kind = kind;
  place.replaceChildren(words);
  if (!act) return;
  const button = Object.assign(document.createElement("button"), { type: "button", className: "button small", textContent: act.text });
  button.onclick = act.run;
  place.append(button);
}

function toggle(): void {
  if (!deck.item) return;
  if (deck.audio.paused) {
    wanted = true;
    if (deck.ready) void begin(deck);
    else void go(at);
  } else {
    wanted = false;
    deck.audio.pause();
  }
}

function previous(): void {
  if (deck.audio.currentTime > 3 || at <= 0) deck.audio.currentTime = 0;
  else void go(at - 1);
}

function ended(): void {
  const item = deck.item;
  if (at + 1 < queue.length) {
    void go(at + 1);
    return;
  }
  wanted = false;
  drawState();
  if (item && !item.owned && item.buy) {
    const to = item.buy;
    tell(say("player.preview.end"), "", { text: say("player.buy"), run: () => void import("./nav").then((n) => n.visit(to)) });
  }
}

function mute(on: boolean): void {
  for (const d of decks) d.audio.muted = on;
  part("mute").setAttribute("aria-pressed", String(on));
}

function show(item: Item): void {
  const cover = part("cover");
  const link = (a: HTMLAnchorElement, text: string, url: string) => {
    a.textContent = text;
    a.dir = "auto";
    if (url) a.href = url;
    else a.removeAttribute("href");
  };
  link(part<HTMLAnchorElement>("title"), item.title, item.url);
  link(part<HTMLAnchorElement>("artist"), item.artist, item.artistUrl);
  cover.replaceChildren(item.picture());
  cover.setAttribute("aria-hidden", "true");
  cover.tabIndex = -1;
  (cover as HTMLAnchorElement).href = item.url;
  shell.className = `player ${item.hue}`;
  shell.querySelector<HTMLElement>("[data-preview-mark]")!.hidden = item.owned;
  part<HTMLButtonElement>("next").disabled = at + 1 >= queue.length;
  if (!deck.audio.error) tell(item.owned && deck.audio.readyState < 2 ? say("player.opening") : "");
  drawQualities();
  drawQueue();
  tick();
  drawState();
  announce(say("player.playing", { title: item.title, artist: item.artist }));
  if ("mediaSession" in navigator) {
    navigator.mediaSession.metadata = new MediaMetadata({
      title: item.title, artist: item.artist, artwork: item.cover ? [{ src: new URL(item.cover, location.href).href }] : [],
    });
  }
}

function length(): number {
  const { duration } = deck.audio;
  if (Number.isFinite(duration) && duration > 0) return duration;
  return deck.item?.owned ? deck.item.length : 0;
}

function tick(): void {
  if (!seeking) drawTime(deck.audio.currentTime);
  const rest = length() - deck.audio.currentTime;
  const other = decks[0] === deck ? decks[1] : decks[0];
  const next = queue[at + 1];
  if (wanted && next && rest < 20 && length() > 0 && !(other.item && same(other.item, next))) void load(other, next);
}

function drawTime(now: number): void {
  const all = length();
  const seek = shell.querySelector<HTMLInputElement>("[data-seek]");
  if (!seek) return;
  seek.max = String(all || 1);
  if (!seeking) seek.value = String(now);
  seek.setAttribute("aria-valuetext", say("player.position", { now: clock(now), length: clock(all) }));
  part("now").textContent = clock(now);
  part("length").textContent = clock(all);
  drawWaveNow();
  if ("mediaSession" in navigator && all && now <= all) navigator.mediaSession.setPositionState?.({ duration: all, position: now });
}

function drawWaveNow(): void {
  const canvas = shell.querySelector<HTMLCanvasElement>("[data-wave]");
  if (!canvas || !deck.item) return;
  // The waveform is that of the whole track: under a preview it would mislead.
  const peaks = deck.item.owned ? peaksOf(deck.item.peaks) : new Uint8Array();
  canvas.parentElement!.classList.toggle("drawn", peaks.length > 0);
  canvas.hidden = !peaks.length;
  if (peaks.length) drawWave(canvas, peaks, 0, Number(part<HTMLInputElement>("seek").value) / (length() || 1));
}

function drawState(): void {
  if (!shell.firstElementChild) return;
  const on = wanted && !deck.audio.ended;
  part("toggle-words").textContent = say(on ? "player.pause" : "player.play");
  for (const icon of shell.querySelectorAll<HTMLElement>("[data-icon]")) icon.hidden = (icon.dataset.icon === "pause") !== on;
  if ("mediaSession" in navigator) navigator.mediaSession.playbackState = on ? "playing" : "paused";
  mark();
}

// Shows in the page which track is on.
function mark(): void {
  const on = wanted && !deck.audio.ended;
  const icons = shell.querySelectorAll<HTMLElement>("[data-icon] svg");
  for (const button of document.querySelectorAll<HTMLElement>("main [data-play]")) {
    const item = itemOf(button);
    const playing = !!item && !!deck.item && same(item, deck.item);
    button.closest("[data-track]")?.toggleAttribute("data-playing", playing);
    const now = playing && on;
    if ((button.getAttribute("aria-pressed") === "true") === now) continue;
    button.setAttribute("aria-pressed", String(now));
    const icon = icons[now ? 1 : 0];
    if (icon) button.querySelector(".play-face")?.replaceChildren(icon.cloneNode(true));
  }
}

function drawQualities(): void {
  const select = part<HTMLSelectElement>("quality");
  const wish = stored("quality", "auto");
  select.parentElement!.hidden = deck.qualities.length < 3;
  select.replaceChildren(...deck.qualities.map(({ name }) => {
    const key = `player.quality.${name}`;
    return new Option(name === "auto" ? say("player.auto") : hasText(key) ? say(key) : name, name, false, name === wish);
  }));
}

function drawQueue(): void {
  part<HTMLElement>("queue-toggle").hidden = queue.length < 2;
  listQueue(part("queue-list"), queue, at, (i) => void go(i));
}

function onKey(e: KeyboardEvent): void {
  if (e.key === "Escape" && !document.getElementById("queue")!.hidden) {
    showQueue(part("queue-toggle"), false);
    part("queue-toggle").focus();
    return;
  }
  if (deck.item && stored("shortcuts", "on") === "on") onShortcut(e, controls);
}

function jump(seconds: number): void {
  deck.audio.currentTime = Math.min(Math.max(0, deck.audio.currentTime + seconds), Math.max(0, length() - 0.1));
}

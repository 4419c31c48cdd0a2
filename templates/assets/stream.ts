// Plays what was bought: the grant becomes the track's key, hls.js fetches sealed pieces and opens them in memory.
import Hls, { type LoadPolicy } from "hls.js/light";
import { BlockError, Larder } from "./cid";
import { hkdf } from "./crypt";
import { Plays, type Play } from "./listen";
import { loaderFor } from "./loader";
import { firstBlocks, renditionNames, renditionsOf } from "./playlist";
import { unlock, type Unlocked } from "./unlock";

/** One choice of quality: its position among the levels, or -1 for automatic. */
export interface Quality { level: number; name: string }

/** A stream on an audio element. */
export interface Stream {
  /** Ends it and frees what it holds. */
  destroy(): void;
  /** Chooses a quality by name, or "auto". */
  choose(name: string): void;
}

/** What a stream tells the player. */
export interface Hooks {
  qualities(all: Quality[]): void;
  /** The waveform, as base64url, when the home instance knows it. */
  peaks(peaks: string): void;
  /** Something does not come just now; it is being tried again. */
  trouble(error: unknown): void;
  failed(error: unknown): void;
}

// What is not there or damaged was asked for twice already; a lost connection may come back.
const patience: LoadPolicy["default"] = {
  maxTimeToFirstByteMs: 20_000,
  maxLoadTimeMs: 90_000,
  timeoutRetry: { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 },
  errorRetry: {
    maxNumRetry: 8,
    retryDelayMs: 500,
    maxRetryDelayMs: 8000,
    backoff: "exponential",
    shouldRetry: (config, count, _timeout, response) => !!config && count < (response?.code ? 1 : config.maxNumRetry),
  },
};

const opened = new Map<string, Promise<Unlocked>>();
const larder = new Larder();
const plays = new Plays();
addEventListener("pagehide", () => plays.flush());

/** Whether this browser can play a stream. */
export function supported(): boolean {
  return Hls.isSupported();
}

/** Opens a track's key, or gives the one that was opened before. What fails is tried again at the next call. */
export function open(uri: string): Promise<Unlocked> {
  let found = opened.get(uri);
  if (!found) {
    found = unlock(uri, (manifest) => void warm(manifest));
    opened.set(uri, found);
    found.catch(() => opened.delete(uri));
    for (const old of opened.keys()) {
      if (opened.size <= 32) break;
      opened.delete(old);
    }
  }
  return found;
}

/** Forgets every opened key. */
export function forget(): void {
  opened.clear();
}

// While the servers are asked for the key, the first sealed pieces come already.
async function warm(manifest: string): Promise<void> {
  try {
    const text = (bytes: ArrayBuffer) => new TextDecoder().decode(bytes);
    const master = renditionsOf(text(await larder.want(manifest)));
    const first = startOf(master.map((v) => v.name), localStorage.getItem("quality") ?? "auto");
    const media = master[first];
    if (!media) return;
    for (const cid of firstBlocks(text(await larder.want(media.cid)))) void larder.want(cid).catch(() => undefined);
  } catch {
    // The stream asks again and says what is wrong.
  }
}

/** The level to begin with: the chosen one; else 128 kbit/s or what comes nearest, never lossless. */
export function startOf(names: string[], wish: string): number {
  for (const name of [wish, "aac128", "aac64", "aac256"]) {
    const i = names.indexOf(name);
    if (i >= 0) return i;
  }
  return 0;
}

/** Starts a stream on an audio element; play() may be called on the element at once. */
export function start(audio: HTMLAudioElement, uri: string, wish: string, hooks: Hooks): Stream {
  let hls: Hls | undefined;
  let over = false;
  let names: string[] = [];
  let recovered = 0;
  let play: Play | undefined;
  let ticket = "";
  const hear = (e: Event) => {
    if (!ticket) return;
    if (e.type === "timeupdate" && !audio.paused && !audio.seeking) {
      // After its end, a track that is started again is played again.
      play ??= plays.begin(ticket);
      play.hear(audio.currentTime);
    } else if (play && e.type === "ended") {
      plays.end(play);
      play = undefined;
    } else if (play && e.type === "pause") {
      play.hear(audio.currentTime);
      play.pause();
      plays.rest(play);
    } else if (e.type === "seeking") play?.pause();
  };
  const heard = ["timeupdate", "pause", "seeking", "ended"] as const;
  const choose = (name: string) => {
    if (!hls) return;
    const level = name === "auto" ? -1 : names.indexOf(name);
    hls.autoLevelCapping = lastLossy(names);
    hls.nextLevel = level;
  };
  const begin = async () => {
    const track = await open(uri);
    if (over) return;
    if (track.peaks) hooks.peaks(track.peaks);
    if (track.ticket) {
      ticket = track.ticket;
      play = plays.begin(ticket);
      for (const type of heard) audio.addEventListener(type, hear);
    }
    let blocked: BlockError | undefined;
    const keys = (rendition: string) => hkdf(track.contentKey, `hls/${rendition}`, 16);
    const loader = loaderFor(larder, keys, (error) => {
      blocked = error;
      hooks.trouble(error);
    }, () => play && plays.rider(play));
    hls = new Hls({
      loader,
      enableWorker: false, // a worker from a blob is outside the page's policy, and nothing here is slow
      startLevel: 0,
      maxBufferLength: 40,
      maxMaxBufferLength: 80,
      backBufferLength: 60,
      testBandwidth: false,
      fragLoadPolicy: { default: patience },
    });
    hls.on(Hls.Events.MANIFEST_PARSED, (_, data) => {
      names = renditionNames(data.levels.map((l) => ({ codecs: l.audioCodec ?? l.codecs ?? "", bits: l.averageBitrate || l.bitrate })));
      hls!.autoLevelCapping = lastLossy(names);
      hls!.startLevel = startOf(names, wish);
      if (names.includes(wish)) hls!.nextLevel = names.indexOf(wish);
      hooks.qualities([{ level: -1, name: "auto" }, ...names.map((name, level) => ({ level, name }))]);
    });
    hls.on(Hls.Events.ERROR, (_, data) => {
      if (!data.fatal) return;
      if (data.type === Hls.ErrorTypes.MEDIA_ERROR && recovered++ < 1) {
        hls!.recoverMediaError();
        return;
      }
      hooks.failed(blocked ?? data.error ?? new Error(data.details));
    });
    hls.attachMedia(audio);
    hls.loadSource(`${location.origin}/ipfs/${track.manifest}`);
  };
  begin().catch((error) => !over && hooks.failed(error));
  return {
    choose,
    destroy() {
      over = true;
      for (const type of heard) audio.removeEventListener(type, hear);
      if (play) plays.end(play);
      hls?.destroy();
    },
  };
}

function lastLossy(names: string[]): number {
  return names.length - 1 - [...names].reverse().findIndex((n) => n !== "flac");
}

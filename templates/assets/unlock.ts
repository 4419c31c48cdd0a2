// From the address of a bought track to its key: the home instance hands out the grant, the browser opens it.
import { b64u, equal } from "./bytes";
import { PlayError } from "./faults";
import { openGrant, type Relay } from "./grant";
import { forget, keep, recall, type KeptTrack } from "./kept";
import { generations } from "./keys";
import { seedOf } from "./seeds";

/** A track whose key this browser holds in memory. */
export interface Unlocked {
  contentKey: Uint8Array;
  /** The CID of its manifest, as the signed grant names it. */
  manifest: string;
  /** The waveform as base64url, or empty. */
  peaks: string;
  /** What the home instance is to be shown with reports of the play; empty when it wants none. */
  ticket: string;
}

/** A sealed file that a buyer may keep. */
export interface File { format: string; url: string; size: number }

interface Described { title?: string; artist?: string; peaks?: string | number[] | null; downloads?: File[] | null }

interface Answer { grant: object; keys: Record<string, string>; track?: Described; listen?: string }

/** The files of a bought track, with the names for them. */
export async function filesOf(uri: string): Promise<{ title: string; artist: string; files: File[] }> {
  const { track } = JSON.parse(await ask(uri)) as Answer;
  return { title: track?.title ?? "", artist: track?.artist ?? "", files: track?.downloads ?? [] };
}

/** Opens the key of a track. `known` is told the manifest as soon as the grant's signature was checked. */
export async function unlock(uri: string, known: (manifest: string) => void): Promise<Unlocked> {
  const actor = document.documentElement.dataset.actor;
  if (!actor) throw new PlayError("login");
  const before = recall(actor, uri).catch(() => undefined);
  const [text, kept] = await Promise.all([askOr(uri, actor, before), seedOf(actor).catch(() => undefined)]);
  if (!kept) throw new PlayError("seed");
  const answer = JSON.parse(text) as Answer;
  let manifest = "";
  const opened = await openGrant(answer.grant, answer.keys, kept.seed, generations, relay, {
    tracks: [uri],
    verified: (grant) => {
      manifest = grant.items.find((i) => i.track === uri)?.manifest ?? "";
      if (manifest) known(manifest);
    },
    failed: (failure) => console.warn("player:", failure.message),
    memory: {
      async recall(grant, _, capsule) {
        const record = await before;
        return record?.grant === grant && equal(record.capsule, capsule) ? record.cfrags : undefined;
      },
      keep: (grant, track, capsule, cfrags) =>
        keep(actor, track, { answer: text.length < largest ? text : "", grant, capsule, cfrags: [...cfrags], at: Date.now() }),
    },
  });
  const contentKey = opened.get(uri);
  if (!contentKey) throw new PlayError("none");
  const peaks = answer.track?.peaks ?? "";
  return { contentKey, manifest, peaks: typeof peaks === "string" ? toURL(peaks) : b64u(Uint8Array.from(peaks)), ticket: answer.listen ?? "" };
}

// Go writes bytes as base64 with padding.
const toURL = (text: string) => text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

// A large grant is not kept whole for each of its tracks.
const largest = 1 << 16;

// The home instance's answer, or the one before it while that instance cannot be reached.
async function askOr(uri: string, actor: string, before: Promise<KeptTrack | undefined>): Promise<string> {
  try {
    return await ask(uri);
  } catch (cause) {
    const fault = cause instanceof PlayError ? cause.fault : "";
    if (fault === "revoked") await forget(actor, uri).catch(() => undefined);
    const record = fault === "offline" || fault === "other" ? await before : undefined;
    if (record?.answer) return record.answer;
    throw cause;
  }
}

async function ask(uri: string): Promise<string> {
  let answer: Response;
  try {
    answer = await fetch(`/play/grant?track=${encodeURIComponent(uri)}`, { credentials: "same-origin", headers: { Accept: "application/json" } });
    if (answer.ok) return await answer.text();
  } catch {
    throw new PlayError("offline");
  }
  // A track of the listening pool that is not lent: the servers say why, and what helps.
  const no = answer.status === 403 ? ((await answer.json().catch(() => ({}))) as { title?: string; code?: string }) : {};
  if (no.title) throw new PlayError(no.code === "no-member" ? "member" : "lent", { words: no.title });
  const faults = { 401: "login", 404: "none", 410: "revoked" } as const;
  throw new PlayError(faults[answer.status as keyof typeof faults] ?? "other");
}

// The home instance sends on what the listener's key has signed; it hides the listener's address from the proxy.
const relay: Relay = ({ url, headers, body }, signal) => fetch("/play/relay", {
  method: "POST",
  credentials: "same-origin",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ url, headers, body }),
  signal,
});

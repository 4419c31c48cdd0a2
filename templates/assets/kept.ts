// Keeps what a device needs to open a bought track again when too few servers are left: the grant, and the proxies'
// answers. The answers open nothing by themselves: they are locked to the listener's receiving key, which comes from the
// seed. Keys of tracks are never written down.

import { storage } from "./storage";

/** What is kept of a track. */
export interface KeptTrack {
  /** The home instance's answer, as text. */
  answer: string;
  grant: string;
  capsule: Uint8Array;
  /** Of `threshold` proxies, one each. */
  cfrags: Uint8Array[];
  at: number;
}

const run = storage("antiphon-kept", "tracks");
const most = 1000;

const place = (actor: string, track: string) => `${actor}\n${track}`;

/** What this browser keeps of an account's track, if anything. */
export async function recall(actor: string, track: string): Promise<KeptTrack | undefined> {
  return run<KeptTrack | undefined>("readonly", (s) => s.get(place(actor, track)) as IDBRequest<KeptTrack | undefined>);
}

/** Keeps a track's record; where there are too many, the oldest goes. */
export async function keep(actor: string, track: string, record: KeptTrack): Promise<void> {
  await run("readwrite", (s) => s.put(record, place(actor, track)));
  const count = await run("readonly", (s) => s.count());
  if (count <= most) return;
  const [keys, all] = await Promise.all([run("readonly", (s) => s.getAllKeys()), run("readonly", (s) => s.getAll() as IDBRequest<KeptTrack[]>)]);
  const oldest = keys.map((key, i) => ({ key, at: all[i]?.at ?? 0 })).sort((a, b) => a.at - b.at).slice(0, count - most);
  for (const { key } of oldest) await run("readwrite", (s) => s.delete(key));
}

/** Forgets a track: its artist has taken it back. */
export async function forget(actor: string, track: string): Promise<void> {
  await run("readwrite", (s) => s.delete(place(actor, track)));
}

/** Forgets everything: at log-out. */
export async function forgetAll(): Promise<void> {
  await run("readwrite", (s) => s.clear());
}

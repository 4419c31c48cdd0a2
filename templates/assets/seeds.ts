// Keeps the listener seed in this browser while one is logged in, under the account it belongs to.

import { forgetAll as forgetTracks } from "./kept";
import { storage } from "./storage";

/** What is kept: the seed, and the version of the wrapping it came from. */
export interface Kept { seed: Uint8Array; version: number }

const run = storage("antiphon", "seeds");

/** Keeps the seed of an account; nobody else's stays. */
export async function keepSeed(actor: string, kept: Kept): Promise<void> {
  await forgetAll();
  await run("readwrite", (s) => s.put(kept, actor));
}

/** The seed of an account, if this browser has it. */
export async function seedOf(actor: string): Promise<Kept | undefined> {
  const kept = await run<Kept | undefined>("readonly", (s) => s.get(actor) as IDBRequest<Kept | undefined>);
  return kept?.seed?.length === 32 ? kept : undefined;
}

/** Forgets every seed, and what was kept to open tracks with: at log-out. */
export async function forgetAll(): Promise<void> {
  await run("readwrite", (s) => s.clear());
  await forgetTracks();
}

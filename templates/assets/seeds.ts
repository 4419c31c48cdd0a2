// Keeps the listener seed in this browser while one is logged in, under the account it belongs to.

import { forgetAll as forgetTracks } from "./kept";

/** What is kept: the seed, and the version of the wrapping it came from. */
export interface Kept { seed: Uint8Array; version: number }

const base = "antiphon";
const room = "seeds";

function open(): Promise<IDBDatabase> {
  return new Promise((ok, no) => {
    const request = indexedDB.open(base, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(room);
    request.onsuccess = () => ok(request.result);
    request.onerror = () => no(request.error);
    request.onblocked = () => no(new Error("storage is blocked"));
  });
}

async function run<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const db = await open();
  try {
    return await new Promise<T>((ok, no) => {
      const tx = db.transaction(room, mode);
      const request = work(tx.objectStore(room));
      tx.oncomplete = () => ok(request.result);
      tx.onerror = tx.onabort = () => no(tx.error);
    });
  } finally {
    db.close();
  }
}

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

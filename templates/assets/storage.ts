// One room of a database in this browser. Each piece of work opens it anew, so that nobody keeps it from being deleted.

/** Runs one request in a transaction of its own, and gives what it found once that is over. */
export type Run = <T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>) => Promise<T>;

/** The room of that name in the database of that name, which has no other. */
export function storage(base: string, room: string): Run {
  const open = () =>
    new Promise<IDBDatabase>((ok, no) => {
      const request = indexedDB.open(base, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(room);
      request.onsuccess = () => ok(request.result);
      request.onerror = () => no(request.error);
      request.onblocked = () => no(new Error("storage is blocked"));
    });
  return async (mode, work) => {
    const db = await open();
    try {
      return await new Promise((ok, no) => {
        const tx = db.transaction(room, mode);
        const request = work(tx.objectStore(room));
        tx.oncomplete = () => ok(request.result);
        tx.onerror = tx.onabort = () => no(tx.error);
      });
    } finally {
      db.close();
    }
  };
}

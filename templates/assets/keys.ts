// Compares the keys that the server names with those that this browser makes from its own seed, and says the outcome.
import { Listener } from "./keytree";
import { encodeMultikey } from "./multikey";
import { seedOf } from "./seeds";
import { say } from "./words";

/** The two public keys of a seed as Multikeys; `n` counts from 1. */
export function publicKeys(seed: Uint8Array, n = 1): { receiving: string; requesting: string } {
  const keys = new Listener(seed);
  return {
    receiving: encodeMultikey("secp256k1", keys.receiving(n).publicKey.bytes),
    requesting: encodeMultikey("ed25519", keys.requesting(n).publicKey),
  };
}

/** How many key changes back one looks for the key that is named. */
export const generations = 8;

/** The number of the key pair that has this receiving key, or 0. */
export function generationOf(seed: Uint8Array, receiving: string): number {
  for (let n = 1; n <= generations; n++) if (publicKeys(seed, n).receiving === receiving) return n;
  return 0;
}

export async function compareKeys(root: HTMLElement): Promise<void> {
  const words = root.querySelector<HTMLElement>("[data-key-words]");
  const { receiving, requesting } = root.dataset;
  const { actor, custody } = document.documentElement.dataset;
  if (!words || !receiving || !requesting || !actor) return;
  const tell = (state: string) => {
    words.dataset.state = state;
    words.textContent = say(`keys.${state}`);
  };
  const kept = await seedOf(actor).catch(() => undefined);
  if (!kept) return tell(custody === "delegated" ? "delegated" : "absent");
  const n = generationOf(kept.seed, receiving);
  tell(n && publicKeys(kept.seed, n).requesting === requesting ? "match" : "other");
}

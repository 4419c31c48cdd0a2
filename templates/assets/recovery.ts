// The recovery key: 32 random bytes, written as base32 of key || first 3 bytes of SHA-256(key), in 14 groups of four.
import { base32, concat, equal, sha256, unbase32 } from "./bytes";

const keyLength = 32;
const sumLength = 3;
export const groupCount = 14;

/** Why a typed recovery key was not taken. */
export type RecoveryFault = "length" | "letters" | "checksum";

/** A recovery key that was mistyped. */
export class RecoveryError extends Error {
  constructor(readonly fault: RecoveryFault) {
    super(`recovery key: ${fault}`);
  }
}

/** The groups in which a key is shown. */
export async function recoveryGroups(key: Uint8Array): Promise<string[]> {
  if (key.length !== keyLength) throw new Error("a recovery key is 32 bytes");
  const sum = (await sha256(key)).subarray(0, sumLength);
  return base32(concat(key, sum)).match(/.{4}/g)!;
}

/** The key that was typed: spaces, lines, dashes and the case of letters do not matter. Zero, one and eight are read as
 * the letters they are mistaken for. */
export async function parseRecovery(typed: string): Promise<Uint8Array> {
  const text = typed.replace(/[\s.\-–—_]+/g, "").toUpperCase().replaceAll("0", "O").replaceAll("1", "I").replaceAll("8", "B");
  if (/[^A-Z2-7]/.test(text)) throw new RecoveryError("letters");
  if (text.length !== groupCount * 4) throw new RecoveryError("length");
  const bytes = unbase32(text);
  const key = bytes.slice(0, keyLength);
  const sum = (await sha256(key)).subarray(0, sumLength);
  if (!equal(sum, bytes.subarray(keyLength))) throw new RecoveryError("checksum");
  return key;
}

/** Two different groups to ask for, counted from 0, in order. */
export function askedGroups(random: (below: number) => number): [number, number] {
  const first = random(groupCount);
  let second = random(groupCount - 1);
  if (second >= first) second++;
  return first < second ? [first, second] : [second, first];
}

/** Whether a typed group is the one that was shown. */
export function sameGroup(typed: string, shown: string): boolean {
  return typed.trim().toUpperCase().replaceAll("0", "O").replaceAll("1", "I").replaceAll("8", "B") === shown;
}

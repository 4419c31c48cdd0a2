// secp256k1 as Umbral needs it: strict decoding, and Umbral's own hash to a scalar. Arithmetic on big integers is not
// constant time; it runs in the listener's own browser, where nobody else can time single operations.
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { concatBytes } from "@noble/curves/utils.js";
import { sha256 } from "@noble/hashes/sha2.js";

export { concatBytes };

export type Point = InstanceType<typeof secp256k1.Point>;

/** The scalars: integers modulo the group order. */
export const Fn = secp256k1.Point.Fn;

/** The standard generator. */
export const G: Point = secp256k1.Point.BASE;

export const pointSize = 33;
export const scalarSize = 32;

/** Reads a point: exactly 33 bytes with tag 02 or 03, on the curve, hence never the identity. */
export function decodePoint(bytes: Uint8Array): Point {
  if (bytes.length !== pointSize || (bytes[0] !== 2 && bytes[0] !== 3)) throw new RangeError("point: not compressed");
  return secp256k1.Point.fromBytes(bytes);
}

/** Writes a point other than the identity as 33 bytes. */
export function encodePoint(p: Point): Uint8Array {
  if (p.is0()) throw new RangeError("point: identity");
  return p.toBytes(true);
}

/** Reads a scalar: exactly 32 bytes, big-endian, below the group order. */
export function decodeScalar(bytes: Uint8Array): bigint {
  if (bytes.length !== scalarSize) throw new RangeError("scalar: not 32 bytes");
  return Fn.fromBytes(bytes);
}

/** Returns the sum of k * P over the terms. */
export function sum(...terms: [bigint, Point][]): Point {
  let total = secp256k1.Point.ZERO;
  for (const [k, p] of terms) total = total.add(p.multiplyUnsafe(Fn.create(k)));
  return total;
}

/** 1 + (SHA-256(be32(len(tag)) || tag || parts...) mod (n - 1)), hence in [1, n-1]. */
export function hashToScalar(tag: Uint8Array, ...parts: Uint8Array[]): bigint {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, tag.length);
  const digest = sha256(concatBytes(length, tag, ...parts));
  let x = 0n;
  for (const byte of digest) x = (x << 8n) | BigInt(byte);
  return 1n + (x % (Fn.ORDER - 1n));
}

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

const windowBits = 4;

/**
 * Returns the sum of k * P over the terms, whose scalars are at least 0. All terms share one run of doublings (Straus's
 * method), so a sum of eight costs little more than two products.
 */
export function sum(...terms: [bigint, Point][]): Point {
  const tables = terms.map(([, p]) => {
    const multiples = [secp256k1.Point.ZERO, p];
    while (multiples.length < 1 << windowBits) multiples.push(multiples[multiples.length - 1].add(p));
    return multiples;
  });
  // Each scalar as hexadecimal: one digit is one window.
  const digits = terms.map(([k]) => k.toString(1 << windowBits).padStart((scalarSize * 8) / windowBits, "0"));
  let total = secp256k1.Point.ZERO;
  for (let i = 0; i < digits[0].length; i++) {
    for (let j = 0; i > 0 && j < windowBits; j++) total = total.double();
    for (let t = 0; t < terms.length; t++) {
      const digit = parseInt(digits[t][i], 1 << windowBits);
      if (digit !== 0) total = total.add(tables[t][digit]);
    }
  }
  return total;
}

/** 1 + (SHA-256(be32(len(tag)) || tag || parts...) mod (n - 1)), hence in [1, n-1]. */
export function hashToScalar(tag: Uint8Array, ...parts: Uint8Array[]): bigint {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, tag.length);
  const digest = sha256(concatBytes(length, tag, ...parts));
  return 1n + (toInteger(digest) % (Fn.ORDER - 1n));
}

/** The integer that bytes stand for, big-endian. */
export function toInteger(bytes: Uint8Array): bigint {
  let x = 0n;
  for (const byte of bytes) x = (x << 8n) | BigInt(byte);
  return x;
}

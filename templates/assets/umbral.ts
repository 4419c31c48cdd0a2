// The receiver's side of Umbral threshold proxy re-encryption over secp256k1, byte for byte as the server's media/pre
// (and @nucypher/umbral-pre 0.10.0): decode a capsule, verify what the proxies answer, open. The names are the
// scheme's: a, A delegating key; b, B receiving key; VK verifying key.
//
//   const capsule = Capsule.decode(bytes);
//   const cfrag = CapsuleFrag.decode(answer).verify(capsule, { verifying, delegating, receiving });
//   const contentKey = open({ receiving: secretKey, delegating, capsule, cfrags: [cfrag, ...], ciphertext });
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import {
  concatBytes, decodePoint, decodeScalar, encodePoint, Fn, G, hashToScalar, pointSize, scalarSize, sum, toInteger, type Point,
} from "./secp";

export type UmbralFailure =
  | "encoding" // bytes are not the one canonical encoding
  | "keys" // a key stands in two roles, or is a constant of the scheme
  | "capsule" // the capsule fails its own check
  | "signature" // the kfrag behind a cfrag was not signed under these keys
  | "proof" // the cfrag is not the honest re-encryption of the capsule
  | "fragments" // the cfrags are none, repeated, or of different sets
  | "open" // too few cfrags, or of another capsule or key
  | "ciphertext"; // the ciphertext was changed or is another's

/** Whatever this module refuses, with the class of failure. */
export class UmbralError extends Error {
  readonly failure: UmbralFailure;
  constructor(failure: UmbralFailure, message: string) {
    super(`umbral: ${message}`);
    this.name = "UmbralError";
    this.failure = failure;
  }
}

export { concatBytes };
export const capsuleSize = 98;
export const capsuleFragSize = 359;
export const ciphertextOverhead = 40;
const nonceSize = 24;
const idSize = 32;
const signatureSize = 64;

// The domain separation tags of the scheme that a receiver needs.
const ascii = (text: string) => new TextEncoder().encode(text);
const tagCapsulePoints = ascii("CAPSULE_POINTS");
const tagSharedSecret = ascii("SHARED_SECRET");
const tagPolynomialArg = ascii("POLYNOMIAL_ARG");
const tagCapsuleFrag = ascii("CFRAG_VERIFICATION");
const tagProofWeights = ascii("antiphon/cfrag-proof-weights/v1"); // ours: it is in no object

/** U, the second generator: RFC 9380 secp256k1_XMD:SHA-256_SSWU_RO_ of "POINT_U" under "PARAMETERS". */
export const parameterX = "079390d0fbe220fc34aab8ecbf49098098036820fadb98c03143e55db8ec73cd";
const U: Encoded = encoded(secp256k1.Point.fromHex("03" + parameterX));

/** A point with its encoding, which is hashed more often than the point is computed. */
interface Encoded {
  readonly point: Point;
  readonly bytes: Uint8Array;
}

function encoded(point: Point): Encoded {
  return { point, bytes: encodePoint(point) };
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Takes fields off the front of an encoding of fixed length. */
class Reader {
  #rest: Uint8Array;
  constructor(bytes: Uint8Array, size: number, what: string) {
    if (bytes.length !== size) throw new UmbralError("encoding", `${what} of ${bytes.length} bytes`);
    this.#rest = bytes.slice();
  }
  take(n: number): Uint8Array {
    const field = this.#rest.subarray(0, n);
    this.#rest = this.#rest.subarray(n);
    return field;
  }
  point(): Encoded {
    const bytes = this.take(pointSize);
    return { point: strict(decodePoint, bytes), bytes };
  }
  scalar(): bigint {
    return strict(decodeScalar, this.take(scalarSize));
  }
  signature(): Uint8Array {
    const bytes = this.take(signatureSize);
    const [r, s] = [strict(decodeScalar, bytes.subarray(0, scalarSize)), strict(decodeScalar, bytes.subarray(scalarSize))];
    if (r === 0n || s === 0n || s > Fn.ORDER >> 1n) throw new UmbralError("encoding", "signature is zero or high");
    return bytes;
  }
}

function strict<T>(decode: (bytes: Uint8Array) => T, bytes: Uint8Array): T {
  try {
    return decode(bytes);
  } catch (cause) {
    throw new UmbralError("encoding", cause instanceof Error ? cause.message : "malformed");
  }
}

/** A point other than the identity: a delegating, receiving or verifying key. */
export class PublicKey {
  private constructor(readonly point: Point, readonly bytes: Uint8Array) {}

  /** Reads exactly 33 bytes with tag 02 or 03. */
  static decode(bytes: Uint8Array): PublicKey {
    const { point, bytes: own } = new Reader(bytes, pointSize, "public key").point();
    return new PublicKey(point, own);
  }

  equals(other: PublicKey): boolean {
    return same(this.bytes, other.bytes);
  }

  /** Says whether sig is this key's ECDSA signature over SHA-256(message), in 64 bytes with a low s. */
  verify(message: Uint8Array, sig: Uint8Array): boolean {
    const canonical = new Reader(sig, signatureSize, "signature").signature();
    return secp256k1.verify(canonical, message, this.bytes, { prehash: true, lowS: true, format: "compact" });
  }
}

/** A scalar in [1, n-1]. It does not show in JSON. */
export class SecretKey {
  readonly #k: bigint;
  readonly publicKey: PublicKey;

  private constructor(k: bigint) {
    this.#k = k;
    this.publicKey = PublicKey.decode(encodePoint(G.multiply(k)));
  }

  /** Reads exactly 32 bytes, big-endian, in [1, n-1]. */
  static decode(bytes: Uint8Array): SecretKey {
    const k = new Reader(bytes, scalarSize, "secret key").scalar();
    if (k === 0n) throw new UmbralError("encoding", "secret key is zero");
    return new SecretKey(k);
  }

  /** Hashes material with the entropy of a key to a key: the last step of the key tree. */
  static hash(tag: Uint8Array, material: Uint8Array): SecretKey {
    return new SecretKey(hashToScalar(tag, material));
  }

  /** The secret itself, 32 bytes. */
  bytes(): Uint8Array {
    return Fn.toBytes(this.#k);
  }

  /** Multiplies a point by the key. */
  multiply(p: Point): Point {
    return p.multiply(this.#k);
  }
}

/** What a cfrag is checked against. */
export interface Keys {
  readonly verifying: PublicKey;
  readonly delegating: PublicKey;
  readonly receiving: PublicKey;
}

/** Throws unless the keys differ and the receiving key is neither of the scheme's generators. */
export function checkKeys({ verifying, delegating, receiving }: Keys): void {
  if (verifying.equals(delegating)) throw new UmbralError("keys", "delegating key signs");
  if (receiving.equals(verifying) || receiving.equals(delegating)) {
    throw new UmbralError("keys", "receiving key has another role");
  }
  if (same(receiving.bytes, U.bytes) || receiving.point.equals(G)) {
    throw new UmbralError("keys", "receiving key is a generator");
  }
}

/** E, V and S with S*G = V + h*E; it has passed that check. */
export class Capsule {
  private constructor(readonly e: Encoded, readonly v: Encoded, readonly s: bigint, readonly bytes: Uint8Array) {}

  /** Reads and checks the simple encoding, exactly 98 bytes: E, V, S. */
  static decode(bytes: Uint8Array): Capsule {
    const r = new Reader(bytes, capsuleSize, "capsule");
    const capsule = new Capsule(r.point(), r.point(), r.scalar(), bytes.slice());
    // V = -E passes the equation for anyone who wants it to, and its key would be the identity.
    if (capsule.e.point.add(capsule.v.point).is0()) throw new UmbralError("capsule", "key is the identity");
    if (!sum([capsule.s, G], [Fn.neg(capsule.hash()), capsule.e.point]).equals(capsule.v.point)) {
      throw new UmbralError("capsule", "capsule check failed");
    }
    return capsule;
  }

  hash(): bigint {
    return hashToScalar(tagCapsulePoints, this.e.bytes, this.v.bytes);
  }
}

interface Fragment {
  readonly bytes: Uint8Array;
  readonly e1: Encoded;
  readonly v1: Encoded;
  readonly id: Uint8Array;
  readonly precursor: Encoded;
  readonly e2: Encoded;
  readonly v2: Encoded;
  readonly u1: Encoded;
  readonly u2: Encoded;
  readonly z: bigint;
  readonly signature: Uint8Array;
}

/** A cfrag as it came from a proxy: decoded, and of no use but to be verified. */
export class CapsuleFrag {
  readonly #f: Fragment;
  private constructor(f: Fragment) {
    this.#f = f;
  }

  /** Reads the simple encoding, exactly 359 bytes: E1, V1, id, X, E2, V2, U1, U2, z, signature for the receiver. */
  static decode(bytes: Uint8Array): CapsuleFrag {
    const r = new Reader(bytes, capsuleFragSize, "cfrag");
    return new CapsuleFrag({
      bytes: bytes.slice(), e1: r.point(), v1: r.point(), id: r.take(idSize), precursor: r.point(),
      e2: r.point(), v2: r.point(), u1: r.point(), u2: r.point(), z: r.scalar(), signature: r.signature(),
    });
  }

  /** Checks that a kfrag signed under these keys made it, honestly, from this capsule. */
  verify(capsule: Capsule, keys: Keys): VerifiedCapsuleFrag {
    checkKeys(keys);
    const f = this.#f;
    const present = Uint8Array.of(1);
    const message = concatBytes(
      f.id, f.u1.bytes, f.precursor.bytes, present, keys.delegating.bytes, present, keys.receiving.bytes,
    );
    if (!keys.verifying.verify(message, f.signature)) throw new UmbralError("signature", "kfrag signature check failed");
    const h = hashToScalar(
      tagCapsuleFrag,
      capsule.e.bytes, f.e1.bytes, f.e2.bytes,
      capsule.v.bytes, f.v1.bytes, f.v2.bytes,
      U.bytes, f.u1.bytes, f.u2.bytes,
    );
    // The three equations z*base - h*image = nonce as one sum with the weights 1, w and w', which are hashed from all that
    // they speak of: a false one passes by chance alone, 2^-128.
    const weights = sha256(concatBytes(tagProofWeights, capsule.bytes, f.bytes));
    const [wV, wU] = [toInteger(weights.subarray(0, 16)), toInteger(weights.subarray(16))];
    const minusH = Fn.neg(h);
    const expected = sum(
      [f.z, capsule.e.point], [minusH, f.e1.point],
      [Fn.mul(f.z, wV), capsule.v.point], [Fn.mul(minusH, wV), f.v1.point], [wV, f.v2.point.negate()],
      [Fn.mul(f.z, wU), U.point], [Fn.mul(minusH, wU), f.u1.point], [wU, f.u2.point.negate()],
    );
    if (!expected.equals(f.e2.point)) throw new UmbralError("proof", "re-encryption proof check failed");
    return new VerifiedCapsuleFrag(f.e1.point, f.v1.point, f.id, f.precursor, f.bytes);
  }
}

/** What opening needs of a verified cfrag. Only CapsuleFrag.verify makes one. */
export class VerifiedCapsuleFrag {
  // A private member makes the type nominal: an object of the same shape does not pass for one.
  private readonly verified = true;
  constructor(readonly e1: Point, readonly v1: Point, readonly id: Uint8Array, readonly precursor: Encoded, readonly bytes: Uint8Array) {
    void this.verified;
  }
}

export interface Opening {
  readonly receiving: SecretKey;
  readonly delegating: PublicKey;
  readonly capsule: Capsule;
  readonly cfrags: readonly VerifiedCapsuleFrag[];
  readonly ciphertext: Uint8Array;
}

/** Opens a ciphertext with at least threshold cfrags of one set and of its capsule; all of them are used. */
export function open({ receiving, delegating, capsule, cfrags, ciphertext }: Opening): Uint8Array {
  if (cfrags.length === 0) throw new UmbralError("fragments", "no cfrags");
  const precursor = cfrags[0].precursor;
  if (!cfrags.every((c) => same(c.precursor.bytes, precursor.bytes))) {
    throw new UmbralError("fragments", "cfrags of different sets");
  }
  const shared = [precursor.bytes, receiving.publicKey.bytes, encodePoint(receiving.multiply(precursor.point))];
  const lambdas = lagrange(cfrags.map((c) => hashToScalar(tagPolynomialArg, ...shared, c.id)));
  const e = sum(...cfrags.map((c, i): [bigint, Point] => [lambdas[i], c.e1]));
  const v = sum(...cfrags.map((c, i): [bigint, Point] => [lambdas[i], c.v1]));
  const d = hashToScalar(tagSharedSecret, ...shared);
  // (S/d)*A = h*E' + V' holds only if the shares interpolate to a/d.
  const expected = sum([Fn.mul(capsule.s, Fn.inv(d)), delegating.point]);
  const seed = e.add(v).multiplyUnsafe(d);
  if (seed.is0() || !sum([capsule.hash(), e]).add(v).equals(expected)) {
    throw new UmbralError("open", "capsule does not open");
  }
  return openData(encodePoint(seed), capsule, ciphertext);
}

/** lambda_i = product over j != i of x_j / (x_j - x_i): interpolation at zero. */
function lagrange(x: bigint[]): bigint[] {
  if (new Set(x).size !== x.length) throw new UmbralError("fragments", "repeated cfrag");
  return x.map((xi) => {
    const others = x.filter((xj) => xj !== xi);
    const numerator = others.reduce((p, xj) => Fn.mul(p, xj), 1n);
    const denominator = others.reduce((p, xj) => Fn.mul(p, Fn.sub(xj, xi)), 1n);
    return Fn.mul(numerator, Fn.inv(denominator));
  });
}

function openData(seed: Uint8Array, capsule: Capsule, ciphertext: Uint8Array): Uint8Array {
  if (ciphertext.length < ciphertextOverhead) throw new UmbralError("ciphertext", "ciphertext is too short");
  const key = hkdf(sha256, seed, undefined, new Uint8Array(0), 32);
  try {
    return xchacha20poly1305(key, ciphertext.subarray(0, nonceSize), capsule.bytes).decrypt(ciphertext.subarray(nonceSize));
  } catch {
    throw new UmbralError("ciphertext", "ciphertext does not decrypt");
  }
}

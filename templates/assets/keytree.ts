// The key tree of one 32-byte seed: Umbral's SecretKeyFactory, byte for byte as the server's media/pre/keytree, and the
// branches of a listener.
//
//   const keys = new Listener(seed);
//   keys.receiving(1).publicKey.bytes; keys.requesting(1).sign(message);
import { ed25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { concatBytes } from "./secp";
import { SecretKey } from "./umbral";

export const seedSize = 32;
const ascii = (text: string) => new TextEncoder().encode(text);

/** A node of the key tree. */
export class Factory {
  readonly #seed: Uint8Array;

  /** Makes the root of a tree from 32 random bytes. */
  constructor(seed: Uint8Array) {
    if (seed.length !== seedSize) throw new RangeError("seed is not 32 bytes");
    this.#seed = seed.slice();
  }

  /** 64 bytes: HKDF-SHA256(seed, "SECRET_DERIVATION/" || label). */
  makeSecret(label: Uint8Array): Uint8Array {
    return this.#derive("SECRET_DERIVATION/", label, 64).bytes;
  }

  /** The secret key of a label. */
  makeKey(label: Uint8Array): SecretKey {
    const { info, bytes } = this.#derive("KEY_DERIVATION/", label, 64);
    return SecretKey.hash(info, bytes);
  }

  /** The subtree of a label. */
  makeFactory(label: Uint8Array): Factory {
    return new Factory(this.#derive("FACTORY_DERIVATION/", label, seedSize).bytes);
  }

  #derive(tag: string, label: Uint8Array, size: number) {
    const info = concatBytes(ascii(tag), label);
    return { info, bytes: hkdf(sha256, this.#seed, undefined, info, size) };
  }
}

/** An Ed25519 key that signs requests for re-encryption. */
export class RequestingKey {
  readonly #seed: Uint8Array;
  readonly publicKey: Uint8Array;

  constructor(seed: Uint8Array) {
    this.#seed = seed.slice();
    this.publicKey = ed25519.getPublicKey(this.#seed);
  }

  sign(message: Uint8Array): Uint8Array {
    return ed25519.sign(message, this.#seed);
  }
}

/** The keys that follow from a listener's seed. n counts up from 1. */
export class Listener {
  readonly #root: Factory;

  constructor(seed: Uint8Array) {
    this.#root = new Factory(seed);
  }

  /** The n-th key that grants are made to. */
  receiving(n: number): SecretKey {
    return this.#root.makeKey(label("receiving", n));
  }

  /** The n-th key that signs requests for re-encryption: its seed is half of the secret "requesting/" + n. */
  requesting(n: number): RequestingKey {
    return new RequestingKey(this.#root.makeSecret(label("requesting", n)).subarray(0, 32));
  }
}

function label(branch: string, n: number): Uint8Array {
  if (!Number.isSafeInteger(n) || n < 1) throw new RangeError(`${branch} key ${n}: numbers count up from 1`);
  return ascii(`${branch}/${n}`);
}

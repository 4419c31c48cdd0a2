// What the passphrase does, all of it in the browser: one half is sent as proof, the other half locks the seed.
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { b64u, concat, sha256, unb64u, utf8 } from "./bytes";

/** The two halves of a stretched passphrase. Only `auth` is ever sent. */
export interface Halves { auth: Uint8Array<ArrayBuffer>; wrap: Uint8Array<ArrayBuffer> }

const rounds = 600_000;
const seedLength = 32;
const nonceLength = 24;

/** Stretches a passphrase for an account. It takes about half a second on purpose. */
export async function halves(passphrase: string, actor: string): Promise<Halves> {
  const base = await crypto.subtle.importKey("raw", utf8(passphrase.normalize("NFKC")), "PBKDF2", false, ["deriveBits"]);
  const salt = await sha256(utf8("antiphon/login/v1" + actor));
  const stretched = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations: rounds }, base, 256);
  const [auth, wrap] = await Promise.all([
    hkdf(new Uint8Array(stretched), "antiphon/auth/v1", 32),
    hkdf(new Uint8Array(stretched), "antiphon/wrap/v1", 32),
  ]);
  return { auth, wrap };
}

/** HKDF-SHA256, with an empty salt unless one is given. */
export async function hkdf(secret: Uint8Array, info: string, length: number, salt: Uint8Array = new Uint8Array()): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", secret as BufferSource, "HKDF", false, ["deriveBits"]);
  const bits = await crypto.subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: salt as BufferSource, info: utf8(info) }, key, length * 8);
  return new Uint8Array(bits);
}

/** Locks a seed: nonce || XChaCha20-Poly1305, bound to the account and the version, as base64url. */
export function wrapSeed(key: Uint8Array, seed: Uint8Array, actor: string, version: number, nonce = random(nonceLength)): string {
  if (seed.length !== seedLength) throw new Error("a seed is 32 bytes");
  return b64u(concat(nonce, xchacha20poly1305(key, nonce, bound(actor, version)).encrypt(seed)));
}

/** Opens what wrapSeed made; anything else throws. */
export function unwrapSeed(key: Uint8Array, wrapped: string, actor: string, version: number): Uint8Array {
  const bytes = unb64u(wrapped);
  if (bytes.length !== nonceLength + seedLength + 16) throw new Error("a wrapped seed is 72 bytes");
  return xchacha20poly1305(key, bytes.subarray(0, nonceLength), bound(actor, version)).decrypt(bytes.subarray(nonceLength));
}

function bound(actor: string, version: number): Uint8Array {
  if (!Number.isSafeInteger(version) || version < 1) throw new Error("a version counts from 1");
  return utf8(`${actor}\n${version}`);
}

/** Random bytes from the system. */
export function random(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** Whether the browser offers what this needs; it does not on plain http away from localhost. */
export function canEncrypt(): boolean {
  return globalThis.isSecureContext !== false && !!globalThis.crypto?.subtle;
}

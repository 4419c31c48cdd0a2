// Bytes and their written forms: base64url, base32 (RFC 4648, no padding), comparison.

export const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

export function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    all.set(p, at);
    at += p.length;
  }
  return all;
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let differ = 0;
  for (let i = 0; i < a.length; i++) differ |= a[i] ^ b[i];
  return differ === 0;
}

export { decodeBase64url as unb64u, encodeBase64url as b64u } from "./multikey";

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** Bytes as base32 of RFC 4648 without padding, in capitals. */
export function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const b of bytes) {
    held = ((held << 8) | b) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += letters[(held >> (bits - 5)) & 31];
  }
  return bits ? text + letters[(held << (5 - bits)) & 31] : text;
}

/** The bytes of base32 without padding, letters of either case; anything else throws. */
export function unbase32(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.floor((text.length * 5) / 8));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const c of text.toUpperCase()) {
    const five = letters.indexOf(c);
    if (five < 0) throw new Error("not base32");
    held = ((held << 5) | five) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (held >> bits) & 255;
    }
  }
  if (bits >= 5 || held & ((1 << bits) - 1)) throw new Error("not canonical base32");
  return bytes;
}

export async function sha256(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as BufferSource));
}

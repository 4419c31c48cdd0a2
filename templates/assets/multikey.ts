// Multikey and base64url: how public keys and bytes are written in signed objects. A decoder takes the one canonical
// form and throws a RangeError for anything else.

const base64urlDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const base58Digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** Writes bytes as base64url without padding (RFC 4648, section 5). */
export function encodeBase64url(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const left = Math.min(3, bytes.length - i);
    const group = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    for (let j = 0; j <= left; j++) text += base64urlDigits[(group >> (18 - 6 * j)) & 63];
  }
  return text;
}

/** Reads base64url without padding; bits that stand for nothing must be zero. */
export function decodeBase64url(text: string): Uint8Array {
  if (text.length % 4 === 1) throw new RangeError("base64url: impossible length");
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const digit of text) {
    const value = base64urlDigits.indexOf(digit);
    if (value < 0) throw new RangeError("base64url: foreign digit");
    held = (held << 6) | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = held >> bits;
      held &= (1 << bits) - 1;
    }
  }
  if (held !== 0) throw new RangeError("base64url: trailing bits");
  return bytes;
}

/** Writes bytes as base58btc; each leading zero byte is a leading "1". */
export function encodeBase58(bytes: Uint8Array): string {
  const digits: number[] = []; // lowest first
  for (const byte of bytes) {
    let carry = byte;
    for (let i = 0; i < digits.length; i++) {
      carry += digits[i] << 8;
      digits[i] = carry % 58;
      carry = Math.floor(carry / 58);
    }
    for (; carry > 0; carry = Math.floor(carry / 58)) digits.push(carry % 58);
  }
  for (let i = 0; i < bytes.length && bytes[i] === 0; i++) digits.push(0);
  return digits.reverse().map((d) => base58Digits[d]).join("");
}

/** Reads base58btc of at most 128 characters: the work grows with the square of the length. */
export function decodeBase58(text: string): Uint8Array {
  if (text.length > 128) throw new RangeError("base58: too long");
  const bytes: number[] = []; // lowest first
  for (const digit of text) {
    let carry = base58Digits.indexOf(digit);
    if (carry < 0) throw new RangeError("base58: foreign digit");
    for (let i = 0; i < bytes.length; i++) {
      carry += bytes[i] * 58;
      bytes[i] = carry & 0xff;
      carry >>= 8;
    }
    for (; carry > 0; carry >>= 8) bytes.push(carry & 0xff);
  }
  for (let i = 0; i < text.length && text[i] === "1"; i++) bytes.push(0);
  return Uint8Array.from(bytes.reverse());
}

/** The kinds of key that stand in signed objects, with their multicodec and length. */
const kinds = {
  secp256k1: { codec: [0xe7, 0x01], size: 33 },
  ed25519: { codec: [0xed, 0x01], size: 32 },
} as const;

export type KeyKind = keyof typeof kinds;

/** Writes a public key as a Multikey: "zQ3s..." for secp256k1 (33 bytes), "z6Mk..." for Ed25519 (32 bytes). */
export function encodeMultikey(kind: KeyKind, key: Uint8Array): string {
  const { codec, size } = kinds[kind];
  if (key.length !== size) throw new RangeError(`multikey: ${kind} key of ${key.length} bytes`);
  return "z" + encodeBase58(Uint8Array.of(...codec, ...key));
}

/** Reads a Multikey of this kind. It checks the form, not that the bytes are a point of the curve. */
export function decodeMultikey(kind: KeyKind, text: string): Uint8Array {
  const { codec, size } = kinds[kind];
  if (!text.startsWith("z")) throw new RangeError("multikey: not base58btc");
  const bytes = decodeBase58(text.slice(1));
  if (bytes.length !== 2 + size || bytes[0] !== codec[0] || bytes[1] !== codec[1]) {
    throw new RangeError(`multikey: not a ${kind} key`);
  }
  return bytes.slice(2);
}

// Opens a sealed file as it arrives: what a buyer keeps. The form is that of media/seal:
//
//   salt (16) || chunk || ... || last chunk;  chunk = ChaCha20-Poly1305(key, nonce, up to 65,536 bytes, AAD)
//   key = HKDF-SHA256(file key, salt, "antiphon/file/v1", 32);  nonce = chunk number, 11 bytes || 1 for the last chunk
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { concat, utf8 } from "./bytes";
import { hkdf } from "./crypt";

const saltSize = 16;
const chunkSize = 65_536 + 16;

/** A file that is not what was sealed: cut off, altered, or for another key. */
export class SealedError extends Error {
  readonly fault = "damaged";
}

/** The key of a track's file in a format such as "flac". */
export function downloadKey(contentKey: Uint8Array, format: string): Promise<Uint8Array> {
  return hkdf(contentKey, `dl/${format}`, 32);
}

/** What a track's file is bound to, beside its key. */
export function downloadContext(track: string, format: string): Uint8Array {
  return utf8(`${track}\n${format}`);
}

/** Yields the plaintext of a sealed file, chunk by chunk; each was checked. The end is checked too: a file that stops early throws. */
export async function* openSealed(sealed: AsyncIterable<Uint8Array>, fileKey: Uint8Array, aad: Uint8Array): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let key: Uint8Array | undefined;
  let rest: Uint8Array = new Uint8Array();
  let number = 0;
  const open = (chunk: Uint8Array, last: boolean) => {
    const nonce = new Uint8Array(12);
    new DataView(nonce.buffer).setUint32(7, number++);
    nonce[11] = last ? 1 : 0;
    try {
      return chacha20poly1305(key!, nonce, aad).decrypt(chunk) as Uint8Array<ArrayBuffer>;
    } catch {
      throw new SealedError("a sealed file does not open");
    }
  };
  for await (const part of sealed) {
    rest = concat(rest, part);
    if (!key && rest.length >= saltSize) {
      key = await hkdf(fileKey, "antiphon/file/v1", 32, rest.subarray(0, saltSize));
      rest = rest.subarray(saltSize);
    }
    // One byte more shows that a chunk is not the last.
    let at = 0;
    for (; key && rest.length - at > chunkSize; at += chunkSize) yield open(rest.subarray(at, at + chunkSize), false);
    rest = rest.slice(at);
  }
  if (!key) throw new SealedError("a sealed file has no beginning");
  yield open(rest, true);
}

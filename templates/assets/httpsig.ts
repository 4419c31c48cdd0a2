// HTTP message signatures (RFC 9421) of requests for re-encryption, as the server's federation/httpsig verifies them.
import { sha256 } from "@noble/hashes/sha2.js";
import type { RequestingKey } from "./keytree";
import { encodeBase64url, encodeMultikey } from "./multikey";

const ascii = (text: string) => new TextEncoder().encode(text);
const base64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));

export interface SignedMessage {
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** Signs a POST of JSON to url. The nonce is 16 random bytes, fresh for every message; created counts whole seconds. */
export function signMessage(url: string, body: string, key: RequestingKey, created: Date, nonce: Uint8Array): SignedMessage {
  // A line feed in the target would add a line to what is signed.
  if (!/^[!-~]+$/.test(url)) throw new RangeError("target cannot be signed");
  const contentType = "application/json";
  const contentDigest = `sha-256=:${base64(sha256(ascii(body)))}:`;
  const params =
    `("@method" "@target-uri" "content-type" "content-digest");created=${Math.floor(created.getTime() / 1000)}` +
    `;nonce="${encodeBase64url(nonce)}";alg="ed25519";keyid="${encodeMultikey("ed25519", key.publicKey)}";tag="antiphon-reencrypt"`;
  const base =
    `"@method": POST\n"@target-uri": ${url}\n"content-type": ${contentType}\n"content-digest": ${contentDigest}\n` +
    `"@signature-params": ${params}`;
  return {
    url,
    headers: {
      "Content-Type": contentType,
      "Content-Digest": contentDigest,
      "Signature-Input": `sig1=${params}`,
      "Signature": `sig1=:${base64(key.sign(ascii(base)))}:`,
    },
    body,
  };
}

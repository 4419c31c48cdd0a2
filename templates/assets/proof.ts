// Integrity proofs of signed objects: FEP-8b32 with the cryptosuite eddsa-jcs-2022, in the one strict form of the
// server's vocab/proof.
//
//   hashData = SHA-256(JCS(proof without proofValue)) || SHA-256(JCS(object without proof))
import { ed25519 } from "@noble/curves/ed25519.js";
import { concatBytes } from "@noble/curves/utils.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { canonicalize, isObject, type Json, type JsonObject } from "./json";
import { decodeBase58, decodeMultikey } from "./multikey";

/** The object is not signed as it should be. */
export class ProofError extends Error {
  constructor(message: string) {
    super(`proof: ${message}`);
    this.name = "ProofError";
  }
}

const members = ["@context", "created", "cryptosuite", "proofPurpose", "proofValue", "type", "verificationMethod"];
const skewMillis = 5 * 60 * 1000;

/**
 * Checks the one proof of an object whose @context must be the given one. keys are the signer's keys by
 * verification method, as Multikeys; who vouches for them is the caller's affair.
 */
export function verifyProof(object: JsonObject, context: Json, keys: Record<string, string>, now: Date): void {
  const { proof, ...unsigned } = object;
  if (!isObject(proof)) throw new ProofError("not exactly one proof");
  if (Object.keys(proof).sort().join() !== members.join()) throw new ProofError("unknown or missing members");
  if (proof.type !== "DataIntegrityProof" || proof.cryptosuite !== "eddsa-jcs-2022" || proof.proofPurpose !== "assertionMethod") {
    throw new ProofError("not of eddsa-jcs-2022 for assertions");
  }
  const meaning = canonicalize(context);
  for (const each of [object["@context"], proof["@context"]]) {
    if (each === undefined || canonicalize(each) !== meaning) throw new ProofError("@context is another");
  }
  const method = proof.verificationMethod;
  if (typeof method !== "string" || !sameOrigin(method, object.attributedTo)) {
    throw new ProofError("key is not on the signer's host");
  }
  if (object.id !== undefined && !sameOrigin(object.id, object.attributedTo)) {
    throw new ProofError("id is not on the signer's host");
  }
  const created = instant(proof.created);
  if (created === undefined || created.getTime() > now.getTime() + skewMillis) throw new ProofError("made at no time, or in the future");
  if (!Object.hasOwn(keys, method)) throw new ProofError(`key ${method} is not one of the signer's`);

  const { proofValue, ...options } = proof;
  const hash = concatBytes(digest(options), digest(unsigned));
  let good = false;
  try {
    if (typeof proofValue !== "string" || proofValue[0] !== "z") throw new RangeError("not base58btc");
    good = ed25519.verify(decodeBase58(proofValue.slice(1)), hash, decodeMultikey("ed25519", keys[method]), { zip215: false });
  } catch (cause) {
    throw new ProofError(cause instanceof Error ? cause.message : "malformed");
  }
  if (!good) throw new ProofError("signature is wrong");
}

/** Says whether both are http or https URIs on one origin. */
export function sameOrigin(a: Json | undefined, b: Json | undefined): boolean {
  const [first, second] = [originOf(a), originOf(b)];
  return first !== undefined && first === second;
}

function originOf(uri: Json | undefined): string | undefined {
  if (typeof uri !== "string") return undefined;
  try {
    const url = new URL(uri);
    return url.protocol === "https:" || url.protocol === "http:" ? url.origin : undefined;
  } catch {
    return undefined;
  }
}

/** The time that a text "2026-11-20T12:00:02Z" stands for; any other form is undefined. */
export function instant(text: Json | undefined): Date | undefined {
  if (typeof text !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text)) return undefined;
  const at = new Date(text);
  // Dates that do not exist are either refused or moved to the next month: the text tells.
  return !Number.isNaN(at.getTime()) && at.toISOString().slice(0, 19) === text.slice(0, 19) ? at : undefined;
}

function digest(object: JsonObject): Uint8Array {
  return sha256(new TextEncoder().encode(canonicalize(object)));
}

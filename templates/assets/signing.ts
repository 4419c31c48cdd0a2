// Signs what only a listener's own key may say: that a new key is theirs, and that something bought is to be granted
// anew. The objects are made here, term by term; nothing that a server hands over is signed as it comes.
import { concatBytes } from "@noble/curves/utils.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { canonicalize, type Json, type JsonObject } from "./json";
import type { RequestingKey } from "./keytree";
import { encodeBase58, encodeBase64url } from "./multikey";

/** Two public keys as Multikeys. */
export interface Pair { readonly receiving: string; readonly requesting: string }

const activityStreams = "https://www.w3.org/ns/activitystreams";
const dataIntegrity = "https://w3id.org/security/data-integrity/v1";

const terms = (prefix: string, ...names: string[]) => Object.fromEntries(names.map((name) => [name, `${prefix}:${name}`]));
const references = (prefix: string, ...names: string[]) =>
  Object.fromEntries(names.map((name) => [name, { "@id": `${prefix}:${name}`, "@type": "@id" }]));

/** The one @context of a statement about new keys (vocab.Context). */
export function linkContext(): Json {
  return [activityStreams, dataIntegrity, {
    mus: "urn:antiphon:ns:", ...terms("mus", "KeyLink", "receiving", "requesting", "created"), ...references("mus", "from"),
  }];
}

/** The one @context of an agreement (vocab.Context). */
export function agreementContext(): Json {
  return [activityStreams, dataIntegrity, {
    mus: "urn:antiphon:ns:", vf: "https://w3id.org/valueflows/ont/vf#", om2: "http://www.ontology-of-units-of-measure.org/resource/om-2/",
    ...terms("vf", "Agreement", "Commitment", "stipulates", "stipulatesReciprocal", "resourceQuantity"), ...references("vf", "satisfies"),
    ...terms("om2", "hasUnit", "hasNumericalValue"),
    ...terms("mus", "receivingKey", "requestingKey", "nonce", "version", "amount", "asset", "decimals", "invoice", "Invoice", "provider",
      "identifier", "expires"),
    ...references("mus", "product", "receipt"),
  }];
}

/** The URI of an actor's n-th requesting key. */
export function requestingMethod(actor: string, n: number): string {
  return `${actor}#requesting-${n}`;
}

/** The statement that new keys are the same listener's, signed with the n-th requesting key, as JSON. */
export function signLink(actor: string, n: number, key: RequestingKey, to: Pair, now: Date): string {
  return signObject({
    "@context": linkContext(), type: ["KeyLink", "Document"], actor, from: requestingMethod(actor, n),
    to: { receiving: to.receiving, requesting: to.requesting }, created: seconds(now),
  }, key, requestingMethod(actor, n), now);
}

/** Asks a seller to grant anew, for other keys, what a receipt is for; signed with the key that the receipt names. */
export function signAgain(
  actor: string, n: number, key: RequestingKey, item: { receipt: string; product: string }, to: Pair, nonce: Uint8Array, now: Date,
): string {
  return signObject({
    "@context": agreementContext(), type: "Agreement", attributedTo: actor, product: item.product, receipt: item.receipt,
    receivingKey: to.receiving, requestingKey: to.requesting, nonce: encodeBase64url(nonce), amount: "0",
  }, key, requestingMethod(actor, n), now);
}

/** Puts a proof (eddsa-jcs-2022) into an object and returns it as JSON. */
export function signObject(object: JsonObject, key: RequestingKey, method: string, now: Date): string {
  const proof: JsonObject = {
    "@context": object["@context"], type: "DataIntegrityProof", cryptosuite: "eddsa-jcs-2022", proofPurpose: "assertionMethod",
    verificationMethod: method, created: seconds(now),
  };
  const hash = concatBytes(digest(proof), digest(object));
  return canonicalize({ ...object, proof: { ...proof, proofValue: "z" + encodeBase58(key.sign(hash)) } });
}

const digest = (object: JsonObject) => sha256(new TextEncoder().encode(canonicalize(object)));

const seconds = (at: Date) => `${at.toISOString().slice(0, 19)}Z`;

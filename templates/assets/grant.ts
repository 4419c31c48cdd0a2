// From a grant to the content keys of its tracks. The home instance has checked the grant already; the browser checks
// what it must not take on trust: that the artist signed it, that it is for this listener's keys, that the proxies'
// answers are honest, and that what comes out is the key that the artist meant.
//
//   const contentKeys = await openGrant(text, artistKeys, seed, n, relay, { tracks: [uri] });
import { sha256 } from "@noble/hashes/sha2.js";
import { isObject, parseSigned, type Json, type JsonObject } from "./json";
import { Listener, type RequestingKey } from "./keytree";
import { decodeBase64url, decodeMultikey, encodeMultikey } from "./multikey";
import { instant, ProofError, sameOrigin, verifyProof } from "./proof";
import { browserWorld, gather, maxCapsules, ProxiesError, type Proxy, type ProxyFailure, type Relay, type World } from "./reencrypt";
import {
  Capsule, CapsuleFrag, capsuleSize, checkKeys, ciphertextOverhead, concatBytes, open, PublicKey, UmbralError, type Keys, type SecretKey,
  type VerifiedCapsuleFrag,
} from "./umbral";

export type { Proxy, ProxyFailure, Relay, World } from "./reencrypt";

/** Why a grant was not opened; the names are those of the texts "player.err.*". */
export type GrantFault =
  | "proof" // it is not a grant in the right form, signed by its artist
  | "otherkey" // it is for keys that this listener does not have
  | "revoked" | "expired" // so say the proxies
  | "login" // the home instance does not know who asks
  | "offline" // nobody could be reached at all
  | "proxies" // too few proxies answered: values n, needed, and the hosts that did not
  | "badkey"; // proxies answered falsely, or what they sent opens to another key: values hosts

/** A grant that was not opened. values are for the words that the fault is told in. */
export class GrantError extends Error {
  constructor(
    readonly fault: GrantFault, message: string, readonly values: Record<string, string | number> = {},
    /** The proxies that did not help, each with its reason. */
    readonly failures: readonly ProxyFailure[] = [],
  ) {
    super(message);
    this.name = "GrantError";
  }
}

export interface Item {
  readonly track: string;
  /** Not checked before it is used: for all items of a large grant that takes a second. */
  readonly capsule: Uint8Array;
  readonly ciphertext: Uint8Array;
  /** The CID of the track's multivariant playlist. */
  readonly manifest: string;
  readonly contentKeyHash: Uint8Array;
}

/** A grant whose form and proof are good. */
export interface Grant {
  readonly id: string;
  readonly artist: string;
  readonly product: string;
  readonly verifying: PublicKey;
  readonly delegating: PublicKey;
  /** Multikeys of the listener for whom it was made. */
  readonly receivingKey: string;
  readonly requestingKey: string;
  readonly set: number;
  readonly threshold: number;
  readonly proxies: readonly Proxy[];
  readonly items: readonly Item[];
  /** Whether it ends by itself. */
  readonly ends: boolean;
}

export interface OpenOptions {
  /** Open only these of the grant's tracks. */
  readonly tracks?: readonly string[];
  /** Hears of the grant as soon as its proof and its keys are found good, before any proxy is asked. */
  readonly verified?: (grant: Grant) => void;
  /** Hears of each proxy that did not help, as it happens. */
  readonly failed?: (failure: ProxyFailure) => void;
  /** What this device kept of the proxies' answers. */
  readonly memory?: Memory;
  readonly world?: World;
}

/** The proxies' answers that a device keeps, so that what it opened once it opens again when too few proxies are left. */
export interface Memory {
  /** The cfrags that were kept for a track's capsule under a grant. */
  recall(grant: string, track: string, capsule: Uint8Array): Promise<readonly Uint8Array[] | undefined>;
  keep(grant: string, track: string, capsule: Uint8Array, cfrags: readonly Uint8Array[]): Promise<void>;
}

/** How long proxies may take to answer while the device has kept what it needs. */
const kindMillis = 2500;

/**
 * Opens a grant, given as the text of its JSON (or, where only that is at hand, as the value read from it), and returns
 * the 32-byte content key of each track by the track's URI. keys are the artist's proof keys, Multikeys by verification
 * method; n is the highest number among the listener's keys. All failures are GrantErrors.
 */
export async function openGrant(
  grant: string | object, keys: Record<string, string>, listenerSeed: Uint8Array, n: number, relay: Relay,
  { tracks, verified, failed, memory, world = browserWorld }: OpenOptions = {},
): Promise<Map<string, Uint8Array>> {
  const read = readGrant(grant, keys, world.now());
  const own = ownKeys(read, listenerSeed, n);
  verified?.(read);
  const wanted = read.items.filter((item) => !tracks || tracks.includes(item.track));
  const opened = new Map<string, Uint8Array>();
  for (let i = 0; i < wanted.length; i += maxCapsules) {
    const part = wanted.slice(i, i + maxCapsules);
    for (const [track, contentKey] of await openItems(read, own, part, relay, world, failed, memory)) opened.set(track, contentKey);
  }
  return opened;
}

/** Reads a grant's exact form and checks its proof. */
export function readGrant(grant: string | object, keys: Record<string, string>, now: Date): Grant {
  try {
    // A value that was read elsewhere goes through the same gate, which then sees all but names that stood twice.
    const object = parseSigned(typeof grant === "string" ? grant : JSON.stringify(grant));
    const form = readForm(object);
    verifyProof(object, grantContext(), keys, now);
    return form;
  } catch (cause) {
    throw malformed(cause);
  }
}

function malformed(cause: unknown): unknown {
  const expected = [SyntaxError, RangeError, ProofError, UmbralError].some((each) => cause instanceof each);
  return expected ? new GrantError("proof", `grant: ${(cause as Error).message}`) : cause;
}

interface OwnKeys {
  readonly receiving: SecretKey;
  readonly requesting: RequestingKey;
}

function ownKeys(grant: Grant, seed: Uint8Array, n: number): OwnKeys {
  const listener = new Listener(seed);
  // Most listeners have had one key: making one takes milliseconds before the first sound.
  for (let i = 1; i <= n; i++) {
    const receiving = listener.receiving(i);
    if (encodeMultikey("secp256k1", receiving.publicKey.bytes) !== grant.receivingKey) continue;
    const requesting = listener.requesting(i);
    if (encodeMultikey("ed25519", requesting.publicKey) === grant.requestingKey) return { receiving, requesting };
  }
  throw new GrantError("otherkey", `grant is for ${grant.receivingKey} and ${grant.requestingKey}, which are not keys of this listener`);
}

async function openItems(
  grant: Grant, own: OwnKeys, items: readonly Item[], relay: Relay, world: World, failed?: (failure: ProxyFailure) => void, memory?: Memory,
): Promise<[string, Uint8Array][]> {
  const keys: Keys = { verifying: grant.verifying, delegating: grant.delegating, receiving: own.receiving.publicKey };
  let capsules: Capsule[];
  try {
    capsules = items.map((item) => Capsule.decode(item.capsule));
  } catch (cause) {
    throw malformed(cause);
  }
  const task = { grant: grant.id, set: grant.set, capsules, keys, requesting: own.requesting };
  const asked = gather(task, grant.proxies, grant.threshold, relay, world, failed).catch((cause: unknown) => {
    throw cause instanceof ProxiesError ? explain(cause) : cause;
  });
  // A grant that ends is opened by its proxies alone, who know the time.
  const kept = memory && !grant.ends ? await recalled(grant, items, capsules, keys, memory) : undefined;
  const cfrags = kept ? await rather(asked, kept, world) : await asked;
  if (memory && !grant.ends && cfrags !== kept) {
    items.forEach((item, i) => void memory.keep(grant.id, item.track, item.capsule, cfrags[i].map((c) => c.bytes)).catch(() => undefined));
  }
  return items.map((item, i) => {
    let contentKey: Uint8Array;
    try {
      contentKey = open({
        receiving: own.receiving, delegating: grant.delegating, capsule: capsules[i], cfrags: cfrags[i], ciphertext: item.ciphertext,
      });
    } catch (cause) {
      throw new GrantError("badkey", `${item.track}: ${cause instanceof Error ? cause.message : "does not open"}`, { hosts: hostOf(grant.artist) });
    }
    const hash = sha256(concatBytes(new TextEncoder().encode("antiphon/content-key/v1"), contentKey));
    if (hash.some((byte, j) => byte !== item.contentKeyHash[j])) {
      throw new GrantError("badkey", `${item.track}: opened to another key than the artist signed`, { hosts: hostOf(grant.artist) });
    }
    return [item.track, contentKey];
  });
}

// What was kept of the proxies' answers, verified as if it came just now; nothing unless it opens all of the items.
async function recalled(
  grant: Grant, items: readonly Item[], capsules: readonly Capsule[], keys: Keys, memory: Memory,
): Promise<VerifiedCapsuleFrag[][] | undefined> {
  try {
    const all = await Promise.all(items.map((item) => memory.recall(grant.id, item.track, item.capsule)));
    return all.map((cfrags, i) => {
      if (!cfrags?.length) throw new RangeError("not kept");
      return cfrags.map((bytes) => CapsuleFrag.decode(bytes).verify(capsules[i], keys));
    });
  } catch {
    return undefined;
  }
}

// The proxies' own answer if it comes soon, else what was kept. Only a log-in that ended is told instead.
async function rather(asked: Promise<VerifiedCapsuleFrag[][]>, kept: VerifiedCapsuleFrag[][], world: World): Promise<VerifiedCapsuleFrag[][]> {
  const abort = new AbortController();
  try {
    return await Promise.race([asked, world.sleep(kindMillis, abort.signal).then(() => kept)]);
  } catch (cause) {
    if (cause instanceof GrantError && cause.fault === "login") throw cause;
    return kept;
  } finally {
    abort.abort();
    asked.catch(() => undefined); // it may yet fail, and nobody waits for it
  }
}

// Which of several reasons is told: what the listener can do something about, and what cannot change by waiting, first.
function explain({ answered, needed, failures, message }: ProxiesError): GrantError {
  const having = (code: string) => failures.filter((f) => f.code === code);
  for (const fault of ["login", "revoked", "expired"] as const) {
    if (having(fault).length > 0) return new GrantError(fault, message, {}, failures);
  }
  const liars = having("false-answer");
  if (liars.length > 0) {
    return new GrantError("badkey", message, { hosts: liars.map((f) => hostOf(f.proxy.actor)).join(", ") }, failures);
  }
  if (answered === 0 && having("unreachable").length === failures.length) return new GrantError("offline", message, {}, failures);
  const hosts = failures.map((f) => hostOf(f.proxy.actor)).join(", ");
  return new GrantError("proxies", message, { n: answered, needed, hosts }, failures);
}

const hostOf = (uri: string) => new URL(uri).host;

// The form of a grant. Members that are not listed are refused, not ignored.
const members = [
  "@context", "id", "type", "attributedTo", "to", "context", "receipt", "scheme", "product", "version", "delegatingKey",
  "verifyingKey", "receivingKey", "requestingKey", "set", "threshold", "proxies", "items", "startTime", "endTime", "updated", "proof",
];
const optionalMembers = ["context"];
const maxItems = 500;
const maxProxies = 16;
const maxNumber = 2 ** 31 - 1;
const contentKeySize = 32;
const hashSize = 32;

function readForm(o: JsonObject): Grant {
  exactly(o, members, optionalMembers);
  if (!Array.isArray(o.type) || o.type.join() !== "AccessGrant,Document") throw new RangeError("type is not AccessGrant");
  if (o.scheme !== "umbral-secp256k1-v1") throw new RangeError("scheme is unknown");
  const id = uri(o.id);
  for (const name of ["attributedTo", "receipt", "product", ...optionalMembers.filter((m) => m in o)]) {
    if (!sameOrigin(uri(o[name]), id)) throw new RangeError(`${name} is on another host`);
  }
  uri(o.to);
  integer(o.version, maxNumber);
  if (!instant(o.startTime) || !instant(o.updated) || (o.endTime !== null && !instant(o.endTime))) throw new RangeError("malformed time");
  const secp = (name: string) => PublicKey.decode(decodeMultikey("secp256k1", string(o[name])));
  const keys = { verifying: secp("verifyingKey"), delegating: secp("delegatingKey"), receiving: secp("receivingKey") };
  checkKeys(keys);
  decodeMultikey("ed25519", string(o.requestingKey));
  const proxies = list(o.proxies, maxProxies).map((p) => {
    exactly(p, ["actor", "reencrypt"]);
    return { actor: uri(p.actor), reencrypt: uri(p.reencrypt) };
  });
  const items = list(o.items, maxItems).map((i) => readItem(i, id));
  different(proxies.map((p) => p.actor));
  different(items.map((i) => i.track));
  return {
    id, artist: uri(o.attributedTo), product: uri(o.product), verifying: keys.verifying, delegating: keys.delegating,
    receivingKey: string(o.receivingKey), requestingKey: string(o.requestingKey),
    set: integer(o.set, maxNumber), threshold: integer(o.threshold, proxies.length), proxies, items, ends: o.endTime !== null,
  };
}

function readItem(i: JsonObject, seller: string): Item {
  exactly(i, ["track", "capsule", "ciphertext", "manifest", "contentKeyHash"]);
  if (!sameOrigin(i.track, seller)) throw new RangeError("track is on another host");
  const manifest = string(i.manifest);
  if (!/^b[a-z2-7]{58}$/.test(manifest)) throw new RangeError("manifest is not a CID");
  return {
    track: uri(i.track), capsule: bytes(i.capsule, capsuleSize),
    ciphertext: bytes(i.ciphertext, contentKeySize + ciphertextOverhead), manifest, contentKeyHash: bytes(i.contentKeyHash, hashSize),
  };
}

function exactly(o: JsonObject, names: readonly string[], optional: readonly string[] = []): void {
  for (const name of Object.keys(o)) if (!names.includes(name)) throw new RangeError(`${name.slice(0, 60)} is not a term`);
  for (const name of names) if (!(name in o) && !optional.includes(name)) throw new RangeError(`${name} is missing`);
}

function string(v: Json | undefined): string {
  if (typeof v !== "string") throw new RangeError("not a string");
  return v;
}

function uri(v: Json | undefined): string {
  const text = string(v);
  if (!sameOrigin(text, text) || text.includes("#") || !/^[!-~]{1,2048}$/.test(text)) throw new RangeError("not an http or https URI");
  return text;
}

function integer(v: Json | undefined, max: number): number {
  if (typeof v !== "number" || !Number.isInteger(v) || v < 1 || v > max) throw new RangeError("number out of range");
  return v;
}

function bytes(v: Json | undefined, size: number): Uint8Array {
  const decoded = decodeBase64url(string(v));
  if (decoded.length !== size) throw new RangeError("bytes of another length");
  return decoded;
}

function list(v: Json | undefined, max: number): JsonObject[] {
  if (!Array.isArray(v) || v.length < 1 || v.length > max || !v.every(isObject)) throw new RangeError("not a list of objects");
  return v;
}

function different(names: readonly string[]): void {
  if (new Set(names).size !== names.length) throw new RangeError("something stands twice");
}

/** The one @context of a grant, the same on every instance (vocab.Context). */
export function grantContext(): Json {
  const own = (...names: string[]) => Object.fromEntries(names.map((name) => [name, `mus:${name}`]));
  const references = (...names: string[]) => Object.fromEntries(names.map((name) => [name, { "@id": `mus:${name}`, "@type": "@id" }]));
  return [
    "https://www.w3.org/ns/activitystreams",
    "https://w3id.org/security/data-integrity/v1",
    {
      mus: "urn:antiphon:ns:",
      ...own("AccessGrant", "scheme", "version", "delegatingKey", "verifyingKey", "receivingKey", "requestingKey", "set",
        "threshold", "proxies", "capsule", "ciphertext", "manifest", "contentKeyHash"),
      ...references("receipt", "product", "reencrypt", "track"),
    },
  ];
}

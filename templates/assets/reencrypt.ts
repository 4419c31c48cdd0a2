// Asks a grant's proxies to re-encrypt capsules, until enough of them have answered well: threshold proxies at once, a
// further one after 300 ms or an error. A proxy that does not have its key fragment yet is asked again after 2 s, three
// times. Every cfrag is verified; a proxy that answers falsely is dropped and named.
import { signMessage, type SignedMessage } from "./httpsig";
import type { RequestingKey } from "./keytree";
import { decodeBase64url, encodeBase64url } from "./multikey";
import { CapsuleFrag, type Capsule, type Keys, type VerifiedCapsuleFrag } from "./umbral";

/** Sends a signed message to its url, directly or through the home instance, and returns what was answered. */
export type Relay = (message: SignedMessage, signal: AbortSignal) => Promise<Response>;

/** Time and randomness; tests bring their own. */
export interface World {
  now(): Date;
  /** Waits, and no longer than until signal aborts. */
  sleep(millis: number, signal: AbortSignal): Promise<void>;
  random(bytes: number): Uint8Array;
}

export const browserWorld: World = {
  now: () => new Date(),
  sleep: (millis, signal) => new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, millis);
    signal.addEventListener("abort", end);
  }),
  random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
};

export interface Proxy {
  readonly actor: string;
  readonly reencrypt: string;
}

/** What is asked of each proxy: at most 64 capsules of one set of a grant. */
export interface Task {
  readonly grant: string;
  readonly set: number;
  readonly capsules: readonly Capsule[];
  readonly keys: Keys;
  readonly requesting: RequestingKey;
}

export type ProxyCode =
  | "false-answer" // what it sent does not verify
  | "unknown-grant" | "bad-signature" | "revoked" | "expired" | "not-granted" | "busy" // its own words
  | "refused" // any other status
  | "login" // the home instance does not know who asks
  | "unreachable"; // no answer, or none in time

/** Why one proxy did not help. */
export class ProxyFailure extends Error {
  constructor(readonly proxy: Proxy, readonly code: ProxyCode, detail: string) {
    super(`${proxy.actor}: ${code}: ${detail}`);
    this.name = "ProxyFailure";
  }
}

/** Too few proxies helped. */
export class ProxiesError extends Error {
  constructor(readonly answered: number, readonly needed: number, readonly failures: readonly ProxyFailure[]) {
    super(`${answered} of ${needed} proxies answered: ${failures.map((f) => f.message).join("; ")}`);
    this.name = "ProxiesError";
  }
}

export const maxCapsules = 64;
const furtherMillis = 300;
const retryMillis = 2000;
const retries = 3;
const timeoutMillis = 15_000;
const maxAnswer = 1 << 16;
const maxWaitMillis = 10_000;

/** One proxy's answer: a cfrag for each capsule, all of one key fragment. */
type Answer = readonly VerifiedCapsuleFrag[];

/**
 * Returns, for each capsule, verified cfrags of threshold different key fragments of one set, or rejects with
 * ProxiesError. failed hears of each proxy that did not help, as it happens.
 */
export function gather(
  task: Task, proxies: readonly Proxy[], threshold: number, relay: Relay, world: World,
  failed: (failure: ProxyFailure) => void = () => undefined,
): Promise<VerifiedCapsuleFrag[][]> {
  return new Promise((resolve, reject) => {
    const stop = new AbortController();
    const pool = new Pool(threshold);
    const failures: ProxyFailure[] = [];
    let next = 0;
    let running = 0;

    const askNext = () => {
      if (stop.signal.aborted || next === proxies.length) return;
      const proxy = proxies[next++];
      running++;
      ask(proxy, task, relay, world, stop.signal, askNext).then(
        (answer) => {
          running--;
          const enough = pool.add(answer);
          if (enough) {
            stop.abort();
            resolve(task.capsules.map((_, i) => enough.map((each) => each[i])));
            return;
          }
          finish();
        },
        (cause: unknown) => {
          running--;
          if (stop.signal.aborted) return;
          const failure = cause instanceof ProxyFailure ? cause : new ProxyFailure(proxy, "unreachable", String(cause));
          failures.push(failure);
          failed(failure);
          askNext();
          finish();
        },
      );
    };
    const finish = () => {
      if (running > 0 || stop.signal.aborted) return;
      // An answer of another set leaves a place open that no error has filled.
      if (next < proxies.length) return askNext();
      stop.abort();
      reject(new ProxiesError(pool.largest(), threshold, failures));
    };
    const askFurther = async () => {
      while (next < proxies.length && !stop.signal.aborted) {
        await world.sleep(furtherMillis, stop.signal);
        askNext();
      }
    };

    for (let i = 0; i < threshold; i++) askNext();
    void askFurther();
  });
}

/** Collects answers until threshold of them belong together: of one set (one precursor) and different fragments. */
class Pool {
  readonly #sets = new Map<string, Map<string, Answer>>();
  constructor(readonly threshold: number) {}

  add(answer: Answer): Answer[] | undefined {
    const precursor = encodeBase64url(answer[0].precursor.bytes);
    const set = this.#sets.get(precursor) ?? new Map<string, Answer>();
    this.#sets.set(precursor, set);
    set.set(encodeBase64url(answer[0].id), answer);
    return set.size >= this.threshold ? [...set.values()] : undefined;
  }

  largest(): number {
    return Math.max(0, ...[...this.#sets.values()].map((set) => set.size));
  }
}

/** Asks one proxy, and again while it is only not ready; slow is called once when it is not. */
async function ask(
  proxy: Proxy, task: Task, relay: Relay, world: World, stop: AbortSignal, slow: () => void,
): Promise<Answer> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await askOnce(proxy, task, task.set, relay, world, stop);
    } catch (cause) {
      if (!(cause instanceof ProxyFailure)) throw cause;
      if (cause.code !== "unknown-grant" && cause.code !== "busy") throw cause;
      if (attempt === 0) slow();
      if (cause.code === "unknown-grant" && attempt === 0 && task.set > 1) {
        // While a new set is on its way, the one before it may still lie here.
        const before = await askOnce(proxy, task, task.set - 1, relay, world, stop).catch(() => undefined);
        if (before) return before;
      }
      if (attempt === retries || stop.aborted) throw cause;
      await world.sleep(cause instanceof Busy ? cause.afterMillis : retryMillis, stop);
      if (stop.aborted) throw cause;
    }
  }
}

class Busy extends ProxyFailure {
  constructor(proxy: Proxy, readonly afterMillis: number) {
    super(proxy, "busy", "asked too often");
  }
}

async function askOnce(
  proxy: Proxy, task: Task, set: number, relay: Relay, world: World, stop: AbortSignal,
): Promise<Answer> {
  const body = JSON.stringify({ grant: task.grant, set, capsules: task.capsules.map((c) => encodeBase64url(c.bytes)) });
  const message = signMessage(proxy.reencrypt, body, task.requesting, world.now(), world.random(16));
  const { status, text, retryAfter } = await send(proxy, message, relay, world, stop);
  if (status === 200) return readAnswer(proxy, task, set, text);
  const code = problemCode(text);
  switch (status) {
    case 404:
      throw new ProxyFailure(proxy, "unknown-grant", "has no key fragment");
    case 410:
      throw new ProxyFailure(proxy, "revoked", "grant is revoked");
    case 429:
      throw new Busy(proxy, Math.min(maxWaitMillis, /^[0-9]{1,5}$/.test(retryAfter) ? Number(retryAfter) * 1000 : retryMillis));
    case 401:
      throw new ProxyFailure(proxy, code === "bad-signature" ? code : "login", "does not know who asks");
    case 403:
    case 422:
      if (code === "expired" || code === "not-granted") throw new ProxyFailure(proxy, code, "does not allow it");
  }
  throw new ProxyFailure(proxy, "refused", `status ${status} ${code}`);
}

async function send(proxy: Proxy, message: SignedMessage, relay: Relay, world: World, stop: AbortSignal) {
  const abort = new AbortController();
  const end = () => abort.abort();
  stop.addEventListener("abort", end);
  const late = world.sleep(timeoutMillis, abort.signal).then(() => undefined);
  const answer = relay(message, abort.signal).then(async (response) => ({
    status: response.status, text: await response.text(), retryAfter: response.headers.get("Retry-After") ?? "",
  }));
  try {
    const first = await Promise.race([answer, late]);
    if (first) return first;
  } catch (cause) {
    throw new ProxyFailure(proxy, "unreachable", cause instanceof Error ? cause.message : "no answer");
  } finally {
    answer.catch(() => undefined); // it may yet fail, and nobody waits for it
    stop.removeEventListener("abort", end);
    end();
  }
  throw new ProxyFailure(proxy, "unreachable", "no answer in time");
}

function readAnswer(proxy: Proxy, task: Task, set: number, text: string): Answer {
  try {
    if (text.length > maxAnswer) throw new RangeError("too long");
    const answer = JSON.parse(text) as { grant?: unknown; set?: unknown; cfrags?: unknown };
    if (answer.grant !== task.grant || answer.set !== set) throw new RangeError("of another grant or set");
    if (!Array.isArray(answer.cfrags) || answer.cfrags.length !== task.capsules.length) throw new RangeError("of another length");
    const cfrags = answer.cfrags.map((encoded: unknown, i) => {
      if (typeof encoded !== "string") throw new RangeError("cfrag is not text");
      return CapsuleFrag.decode(decodeBase64url(encoded)).verify(task.capsules[i], task.keys);
    });
    if (!cfrags.every((c) => sameFragment(c, cfrags[0]))) throw new RangeError("of several key fragments");
    return cfrags;
  } catch (cause) {
    throw new ProxyFailure(proxy, "false-answer", cause instanceof Error ? cause.message : "malformed");
  }
}

function sameFragment(a: VerifiedCapsuleFrag, b: VerifiedCapsuleFrag): boolean {
  return encodeBase64url(a.id) === encodeBase64url(b.id)
    && encodeBase64url(a.precursor.bytes) === encodeBase64url(b.precursor.bytes);
}

function problemCode(text: string): string {
  try {
    const { code } = JSON.parse(text) as { code?: unknown };
    return typeof code === "string" && /^[a-z-]{1,40}$/.test(code) ? code : "";
  } catch {
    return "";
  }
}

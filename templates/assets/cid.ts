// Fetches blocks by their content identifier and takes them only when the content is what the name says.
import { equal, sha256, unbase32 } from "./bytes";
import type { Rider } from "./listen";

/** Why a block was not had: "gone" (the server does not have it), "offline", or "damaged" (not what its name says). */
export type BlockFault = "gone" | "offline" | "damaged" | "login";

/** A block that could not be had. */
export class BlockError extends Error {
  constructor(readonly fault: BlockFault, readonly cid: string, readonly status = 0) {
    super(`block ${cid}: ${fault}`);
  }
}

/** The SHA-256 that a CID promises: version 1, codec raw, base32. Anything else throws. */
export function digestOf(cid: string): Uint8Array {
  if (!/^b[a-z2-7]{58}$/.test(cid)) throw new Error("not a CIDv1 of a raw block with sha2-256");
  const bytes = unbase32(cid.slice(1));
  if (!equal(bytes.subarray(0, 4), Uint8Array.of(1, 0x55, 0x12, 32))) throw new Error("not a CIDv1 of a raw block with sha2-256");
  return bytes.subarray(4);
}

/** Whether the bytes are the block that the CID names. */
export async function isBlock(cid: string, bytes: Uint8Array): Promise<boolean> {
  return equal(digestOf(cid), await sha256(bytes));
}

const limit = 2 << 20;

/**
 * A block from the own server, checked. A damaged answer is asked for once more past the browser's cache. A rider that is
 * due has the server asked whether a block in the cache is still good, so that it arrives.
 */
export async function fetchBlock(cid: string, signal?: AbortSignal, rider?: Rider): Promise<ArrayBuffer> {
  digestOf(cid);
  for (const cache of [rider?.due ? "no-cache" : "default", "reload"] as const) {
    let answer: Response;
    let bytes: ArrayBuffer;
    try {
      const headers: HeadersInit = rider ? { "Antiphon-Listen": rider.text } : {};
      answer = await fetch(`/ipfs/${cid}`, { signal, cache, headers, credentials: "same-origin" });
      if (!answer.ok) {
        throw new BlockError(answer.status === 401 || answer.status === 403 ? "login" : "gone", cid, answer.status);
      }
      if (Number(answer.headers.get("Content-Length")) > limit) throw new BlockError("damaged", cid, answer.status);
      rider?.arrived();
      bytes = await answer.arrayBuffer();
    } catch (error) {
      if (error instanceof BlockError || signal?.aborted) throw error;
      throw new BlockError("offline", cid);
    }
    if (bytes.byteLength <= limit && (await isBlock(cid, new Uint8Array(bytes)))) return bytes;
  }
  throw new BlockError("damaged", cid, 200);
}

/** Blocks that were asked for ahead of time; each is given out once. */
export class Larder {
  private held = new Map<string, Promise<ArrayBuffer>>();
  constructor(private readonly most = 24, private readonly get = fetchBlock) {}

  /** Asks for a block ahead of time. */
  want(cid: string): Promise<ArrayBuffer> {
    let block = this.held.get(cid);
    if (!block) {
      block = this.get(cid);
      this.held.set(cid, block);
      block.catch(() => this.held.delete(cid));
      for (const old of this.held.keys()) {
        if (this.held.size <= this.most) break;
        this.held.delete(old);
      }
    }
    return block;
  }

  /** A block, from what was asked for ahead or from the server. Nothing is fetched for a signal that is aborted. */
  async take(cid: string, signal?: AbortSignal, rider?: () => Rider | undefined): Promise<ArrayBuffer> {
    const held = this.held.get(cid);
    if (!held) return this.get(cid, signal, rider?.());
    const block = await held;
    signal?.throwIfAborted();
    // A copy: what hls.js is given it may transfer away.
    return block.slice(0);
  }
}

// What hls.js loads with: keys from memory, everything else by CID from the own server, checked before use.
import type { HlsConfig, Loader, LoaderCallbacks, LoaderConfiguration, LoaderContext, LoaderStats } from "hls.js";
import { BlockError, type Larder } from "./cid";
import type { Rider } from "./listen";

// How often a playlist is asked for again while the connection is lost: for half a minute.
const patience = 7;

/** The key of a rendition, or undefined when there is none. */
export type KeySource = (rendition: string) => Promise<Uint8Array>;

/** What a URL of a playlist names: a key of a rendition, or a block. Anything else is refused. */
export function nameOf(url: string, origin: string): { rendition: string } | { cid: string } {
  const key = /^key:\/\/antiphon\/([a-z0-9]{1,16})$/.exec(url);
  if (key) return { rendition: key[1] };
  const block = /^\/ipfs\/(b[a-z2-7]{58})$/.exec(url.startsWith(origin + "/") ? url.slice(origin.length) : "");
  if (block) return { cid: block[1] };
  throw new Error(`a playlist names ${url.slice(0, 100)}`);
}

/** The loader class for one track. What rides along goes with pieces of sound. */
export function loaderFor(larder: Larder, keys: KeySource, failed: (error: BlockError) => void, rider?: () => Rider | undefined) {
  return class CheckedLoader implements Loader<LoaderContext> {
    context: LoaderContext | null = null;
    stats: LoaderStats = {
      aborted: false, loaded: 0, retry: 0, total: 0, chunkCount: 0, bwEstimate: 0,
      loading: { start: 0, first: 0, end: 0 }, parsing: { start: 0, end: 0 }, buffering: { start: 0, first: 0, end: 0 },
    };
    private stop = new AbortController();

    constructor(_: HlsConfig) {}

    load(context: LoaderContext, _: LoaderConfiguration, callbacks: LoaderCallbacks<LoaderContext>): void {
      this.context = context;
      this.stats.loading.start = performance.now();
      this.bytes(context).then(
        (bytes) => {
          if (this.stop.signal.aborted) return;
          const { stats } = this;
          stats.loading.end = performance.now();
          stats.loading.first ||= stats.loading.end;
          stats.loaded = stats.total = bytes.byteLength;
          stats.chunkCount = 1;
          const took = stats.loading.end - stats.loading.start;
          stats.bwEstimate = took > 0 ? (bytes.byteLength * 8000) / took : 0;
          const data = context.responseType === "arraybuffer" ? bytes : new TextDecoder().decode(bytes);
          callbacks.onSuccess({ url: context.url, data, code: 200 }, stats, context, null);
        },
        (error: unknown) => {
          if (this.stop.signal.aborted) return;
          if (error instanceof BlockError) failed(error);
          const code = error instanceof BlockError ? error.status : 0;
          callbacks.onError({ code, text: error instanceof Error ? error.message : String(error) }, context, null, this.stats);
        },
      );
    }

    private async bytes(context: LoaderContext): Promise<ArrayBuffer> {
      if (context.rangeStart || context.rangeEnd) throw new Error("a playlist names a part of a block");
      const name = nameOf(context.url, location.origin);
      if ("cid" in name) return "frag" in context ? larder.take(name.cid, this.stop.signal, rider) : this.playlist(name.cid);
      const key = await keys(name.rendition);
      return key.slice().buffer as ArrayBuffer;
    }

    // hls.js asks again for pieces by itself, but a playlist is asked for once.
    private async playlist(cid: string): Promise<ArrayBuffer> {
      for (let tried = 0; ; tried++) {
        try {
          return await larder.take(cid, this.stop.signal);
        } catch (error) {
          if (!(error instanceof BlockError) || error.fault !== "offline" || tried === patience) throw error;
          failed(error);
          await new Promise((go) => setTimeout(go, Math.min(8000, 500 * 2 ** tried)));
          this.stop.signal.throwIfAborted();
        }
      }
    }

    abort(): void {
      if (this.stats.loading.end) return;
      this.stats.aborted = true;
      this.stop.abort();
    }

    destroy(): void {
      this.stop.abort();
      this.context = null;
    }

    getCacheAge(): null {
      return null;
    }
  };
}

// What was bought, as files to keep: fetched sealed, opened in the browser, saved under a name a person can read.
import { faultOf } from "./faults";
import { fileName, mediaType } from "./filename";
import { downloadContext, downloadKey, openSealed } from "./sealed";
import { open } from "./stream";
import { filesOf, type File } from "./unlock";
import { announce, hasText, say } from "./words";

/** Puts a button for each file of a track into an element that names the track. */
export function downloads(root: HTMLElement): void {
  const track = root.dataset.uri ?? "";
  void filesOf(track).then((found) => {
    if (found.files.length === 0) return;
    const status = Object.assign(document.createElement("p"), { className: "quiet" });
    status.setAttribute("role", "status");
    root.append(...found.files.map((file) => button(root, status, track, file, fileName(found.artist, found.title, file.format))), status);
    root.hidden = false;
  }).catch((error) => console.warn("downloads:", error));
}

function button(root: HTMLElement, status: HTMLElement, track: string, file: File, name: string): HTMLButtonElement {
  const made = Object.assign(document.createElement("button"), { type: "button", className: "button quietly" });
  made.textContent = say("download.as", { format: file.format.toUpperCase(), size: megabytes(file.size) });
  made.onclick = async () => {
    const all = root.querySelectorAll("button");
    for (const b of all) b.disabled = true;
    try {
      const blob = await fetchFile(track, file, (done) => (status.textContent = say("download.under", { done: Math.floor(done * 100) })));
      save(blob, name);
      status.textContent = say("download.done", { name });
    } catch (error) {
      console.warn("download:", error);
      status.textContent = wordsOf(error);
    }
    announce(status.textContent);
    for (const b of all) b.disabled = false;
  };
  return made;
}

async function fetchFile(track: string, file: File, progress: (done: number) => void): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let had = 0;
  for await (const part of openFile(track, file, (bytes) => progress((had += bytes) / file.size))) parts.push(part);
  return new Blob(parts, { type: mediaType(file.format) });
}

// How often a fetch that breaks off is taken up again where it was, and the first pause before that.
const retries = 5;
const pause = 500;

/** Yields a file of a bought track, opened. What breaks off is taken up where it was; `arrived` is told of the sealed bytes. */
export async function* openFile(track: string, file: File, arrived: (bytes: number) => void): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { contentKey } = await open(track);
  const key = await downloadKey(contentKey, file.format);
  yield* openSealed(sealedBytes(file, arrived), key, downloadContext(track, file.format));
}

async function* sealedBytes(file: File, arrived: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let had = 0;
  for (let tries = 0; had < file.size; tries++) {
    if (tries > 0) await new Promise((ok) => setTimeout(ok, pause << tries));
    const headers: Record<string, string> = had > 0 ? { Range: `bytes=${had}-` } : {};
    const answer = await fetch(file.url, { credentials: "same-origin", headers }).catch(() => undefined);
    const again = tries < retries;
    if (!answer || answer.status >= 500) {
      if (again) continue;
      throw Object.assign(new Error(answer ? `status ${answer.status}` : "offline"), { fault: answer ? "gone" : "offline" });
    }
    if (!answer.ok || !answer.body) throw Object.assign(new Error(`status ${answer.status}`), { fault: "gone" });
    // Without ranges it begins anew, and what was had is passed over.
    let over = answer.status === 206 ? 0 : had;
    const reader = answer.body.getReader();
    for (;;) {
      const chunk = await reader.read().catch(() => undefined);
      if (!chunk && !again) throw Object.assign(new Error("offline"), { fault: "offline" });
      if (!chunk || chunk.done) break;
      const value = chunk.value.subarray(Math.min(over, chunk.value.length));
      over -= chunk.value.length - value.length;
      if (value.length === 0) continue;
      // What is larger than the artist signed is not what the artist signed.
      if ((had += value.length) > file.size) throw Object.assign(new Error("too long"), { fault: "damaged" });
      arrived(value.length);
      tries = 0;
      yield value;
    }
    if (had < file.size && !again) throw Object.assign(new Error("too short"), { fault: "damaged" });
  }
}

/** Has the browser save a file. */
export function save(blob: Blob, name: string): void {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** What went wrong, in words. */
export function wordsOf(error: unknown): string {
  const own = `download.err.${(error as { fault?: string }).fault}`;
  return hasText(own) ? say(own) : faultOf(error).words;
}

/** Bytes as megabytes, for people. */
export function megabytes(bytes: number): string {
  return (bytes / 1e6).toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 });
}

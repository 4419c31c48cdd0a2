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
  const { contentKey } = await open(track);
  const key = await downloadKey(contentKey, file.format);
  const answer = await fetch(file.url, { credentials: "same-origin" }).catch(() => undefined);
  if (!answer) throw Object.assign(new Error("offline"), { fault: "offline" });
  if (!answer.ok || !answer.body) throw Object.assign(new Error(`status ${answer.status}`), { fault: "gone" });
  let had = 0;
  const counted = async function* (reader: ReadableStreamDefaultReader<Uint8Array>) {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      // What is larger than the artist signed is not what the artist signed.
      if ((had += value.length) > file.size) throw Object.assign(new Error("too long"), { fault: "damaged" });
      progress(had / file.size);
      yield value;
    }
  };
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const part of openSealed(counted(answer.body.getReader()), key, downloadContext(track, file.format))) parts.push(part);
  return new Blob(parts, { type: mediaType(file.format) });
}

function save(blob: Blob, name: string): void {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function wordsOf(error: unknown): string {
  const own = `download.err.${(error as { fault?: string }).fault}`;
  return hasText(own) ? say(own) : faultOf(error).words;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 });
}

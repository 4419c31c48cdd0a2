// A whole release as one ZIP archive, put together in the browser: each file is fetched sealed, opened with the listener's
// key, and written as it comes. The sellers' servers are not needed for it, and nobody's server sees the files.
import { makeZip } from "client-zip";
import { megabytes, openFile, save, wordsOf } from "./download";
import { folderName, numbered } from "./filename";
import { filesOf, type File } from "./unlock";
import { announce, say } from "./words";

interface Track { uri: string; title: string; files: File[] }

interface Picker { showSaveFilePicker?(options: object): Promise<{ createWritable(): Promise<WritableStream<Uint8Array>> }> }

/** Puts a button for each format that all tracks have into an element that names the tracks, the title and the artist. */
export function zip(root: HTMLElement): void {
  const uris = (root.dataset.tracks ?? "").split(" ").filter(Boolean);
  void known(uris).then((tracks) => {
    const formats = (tracks[0]?.files ?? []).map((f) => f.format).filter((format) => tracks.every((t) => fileOf(t, format)));
    if (formats.length === 0) return;
    const status = Object.assign(document.createElement("p"), { className: "quiet" });
    status.setAttribute("role", "status");
    root.append(...formats.map((format) => button(root, status, tracks, format)), status);
    root.hidden = false;
  }).catch((error) => console.warn("zip:", error));
}

// A few at a time: a release can have many tracks.
const atOnce = 4;

async function known(uris: string[]): Promise<Track[]> {
  const tracks: Track[] = [];
  for (let at = 0; at < uris.length; at += atOnce) {
    tracks.push(...await Promise.all(uris.slice(at, at + atOnce).map(async (uri) => ({ uri, ...(await filesOf(uri)) }))));
  }
  return tracks;
}

const fileOf = (track: Track, format: string) => track.files.find((f) => f.format === format);

function button(root: HTMLElement, status: HTMLElement, tracks: Track[], format: string): HTMLButtonElement {
  const total = tracks.reduce((sum, t) => sum + (fileOf(t, format)?.size ?? 0), 0);
  const made = Object.assign(document.createElement("button"), { type: "button", className: "button quietly" });
  made.dataset.format = format;
  made.textContent = say("zip.as", { format: format.toUpperCase(), size: megabytes(total) });
  made.onclick = async () => {
    const folder = folderName(root.dataset.artist ?? "", root.dataset.title ?? "");
    const all = root.querySelectorAll("button");
    for (const b of all) b.disabled = true;
    let had = 0;
    const arrived = (bytes: number, track: Track) => {
      had += bytes;
      status.textContent = say("zip.under", { done: Math.floor((100 * had) / total), title: track.title });
    };
    try {
      await write(`${folder}.zip`, () => makeZip(entries(root, folder, tracks, format, arrived)));
      status.textContent = say("download.done", { name: `${folder}.zip` });
    } catch (error) {
      // Who closes the window that asks for a place has changed their mind.
      const own = (error as Error).name === "AbortError";
      if (!own) console.warn("zip:", error);
      status.textContent = own ? "" : wordsOf(error);
    }
    announce(status.textContent);
    for (const b of all) b.disabled = false;
  };
  return made;
}

async function* entries(root: HTMLElement, folder: string, tracks: Track[], format: string, arrived: (bytes: number, track: Track) => void) {
  const lastModified = new Date();
  const cover = root.dataset.cover ? await fetch(root.dataset.cover, { credentials: "same-origin" }).catch(() => undefined) : undefined;
  if (cover?.ok) {
    const ending = (cover.headers.get("Content-Type") ?? "").includes("png") ? "png" : "jpg";
    yield { name: `${folder}/cover.${ending}`, input: await cover.arrayBuffer(), lastModified };
  }
  for (const [i, track] of tracks.entries()) {
    const file = fileOf(track, format);
    if (!file) continue;
    yield {
      name: `${folder}/${numbered(i + 1, tracks.length, track.title, format)}`, lastModified,
      input: openFile(track.uri, file, (bytes) => arrived(bytes, track)),
    };
  }
}

// Where the browser can write to a file as it goes, nothing of it is kept in memory.
async function write(name: string, make: () => ReadableStream<Uint8Array>): Promise<void> {
  const picker = globalThis as Picker;
  if (picker.showSaveFilePicker) {
    const place = await picker.showSaveFilePicker({ suggestedName: name, types: [{ accept: { "application/zip": [".zip"] } }] });
    await make().pipeTo(await place.createWritable());
    return;
  }
  save(await new Response(make(), { headers: { "Content-Type": "application/zip" } }).blob(), name);
}

// Drops and choices of files become resumable uploads. They go on while one walks through the site, and after a cut-off
// or a restart when the same file is chosen again.
import { Upload } from "tus-js-client";
import { visit } from "./nav";
import { announce, say, size, span } from "./words";

type State = "waiting" | "sending" | "lost" | "done" | "failed" | "stopped";

interface Job {
  file: File;
  row: HTMLLIElement;
  state: State;
  upload?: Upload;
  rate: Rate;
  draft: string;
}

const atOnce = 2;
const jobs: Job[] = [];
const audio = /\.(flac|wav|wave|aiff?|m4a|mp4|aac|alac|ogg|oga|opus|mp3|wv|caf|wma)$/i;

/** Whether a file looks like sound; the server decides. */
export function isAudio(file: { name: string; type: string }): boolean {
  return file.type.startsWith("audio/") || audio.test(file.name);
}

/** The speed of the last seconds, and from it the time left. */
export class Rate {
  private marks: { at: number; sent: number }[] = [];

  /** Notes that so many bytes were sent at a time in milliseconds. */
  note(sent: number, at: number): void {
    const last = this.marks.at(-1);
    if (last && sent < last.sent) this.marks = [];
    this.marks.push({ at, sent });
    while (this.marks.length > 2 && at - this.marks[0].at > 8000) this.marks.shift();
  }

  /** The seconds left for the rest, or undefined while that is not known. */
  left(rest: number): number | undefined {
    const first = this.marks[0];
    const last = this.marks.at(-1);
    if (!first || !last || last.at - first.at < 1500 || last.sent === first.sent) return undefined;
    return (rest * (last.at - first.at)) / (last.sent - first.sent) / 1000;
  }
}

addEventListener("beforeunload", (e) => {
  if (jobs.some((j) => j.state === "sending" || j.state === "waiting" || j.state === "lost")) e.preventDefault();
});

export function upload(root: HTMLElement): void {
  const drop = root.querySelector<HTMLElement>("[data-drop]")!;
  const list = root.querySelector<HTMLElement>("[data-uploads]")!;
  list.append(...jobs.filter((j) => j.state !== "stopped").map((j) => j.row));
  const take = (files: File[], whole: boolean) => add(root, list, files, whole);
  for (const input of root.querySelectorAll<HTMLInputElement>("[data-files],[data-folder]")) {
    input.addEventListener("change", () => {
      take([...(input.files ?? [])], input.matches("[data-folder]"));
      input.value = "";
    });
  }
  // The whole page takes what is dropped: nobody should have to aim.
  const main = root.closest("main") ?? root;
  main.addEventListener("dragover", (e) => {
    if (!e.dataTransfer?.types.includes("Files")) return;
    e.preventDefault();
    drop.dataset.over = "";
  });
  main.addEventListener("dragleave", (e) => {
    if (!main.contains(e.relatedTarget as Node | null)) delete drop.dataset.over;
  });
  main.addEventListener("drop", (e) => {
    if (!e.dataTransfer?.types.includes("Files")) return;
    e.preventDefault();
    delete drop.dataset.over;
    const folder = [...e.dataTransfer.items].some((i) => i.webkitGetAsEntry?.()?.isDirectory);
    void dropped(e.dataTransfer).then((files) => take(files, folder));
  });
}

async function dropped(data: DataTransfer): Promise<File[]> {
  const entries = [...data.items].map((i) => i.webkitGetAsEntry?.()).filter((e): e is FileSystemEntry => !!e);
  if (!entries.length) return [...data.files];
  const files: File[] = [];
  const walk = async (entry: FileSystemEntry, depth: number): Promise<void> => {
    if (files.length >= 2000 || depth > 8) return;
    if (entry.isFile) {
      files.push(await new Promise<File>((ok, no) => (entry as FileSystemFileEntry).file(ok, no)));
      return;
    }
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((ok, no) => reader.readEntries(ok, no));
      if (!some.length) return;
      for (const e of some) await walk(e, depth + 1);
    }
  };
  for (const e of entries) await walk(e, 0);
  return files;
}

function add(root: HTMLElement, list: HTMLElement, files: File[], whole: boolean): void {
  const pattern = root.querySelector<HTMLTemplateElement>("[data-upload-row]")!;
  const max = Number(root.dataset.max) || Infinity;
  files.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  let skipped = 0;
  for (const file of files) {
    const sound = isAudio(file);
    if (!sound && whole) {
      skipped++;
      continue;
    }
    const row = (pattern.content.cloneNode(true) as DocumentFragment).querySelector("li")!;
    const job: Job = { file, row, state: "waiting", rate: new Rate(), draft: "" };
    row.querySelector("[data-name]")!.textContent = file.name;
    row.querySelector("[data-size]")!.textContent = size(file.size);
    row.querySelector("progress")!.setAttribute("aria-label", file.name);
    row.querySelector("[data-stop]")!.addEventListener("click", () => void stop(job));
    row.querySelector("[data-again]")!.addEventListener("click", () => {
      change(job, "waiting", say("upload.waiting"));
      next();
    });
    list.append(row);
    jobs.push(job);
    if (!sound) change(job, "failed", say("upload.notaudio"), false);
    else if (!file.size) change(job, "failed", say("upload.emptyfile"), false);
    else if (file.size > max) change(job, "failed", say("upload.toolarge", { max: size(max) }), false);
    else change(job, "waiting", say("upload.waiting"));
  }
  if (skipped) tell(root, say("upload.skipped", { n: skipped }));
  next();
}

function tell(root: HTMLElement, text: string): void {
  const words = root.querySelector("[data-words]");
  if (words) words.textContent = text;
}

function change(job: Job, state: State, words: string, again = state === "failed"): void {
  job.state = state;
  job.row.dataset.state = state;
  job.row.querySelector("[data-state]")!.textContent = words;
  job.row.querySelector<HTMLElement>("[data-again]")!.hidden = !again;
  job.row.querySelector<HTMLElement>("[data-stop]")!.hidden = state === "done";
}

async function stop(job: Job): Promise<void> {
  change(job, "stopped", "");
  const next_ = job.row.nextElementSibling ?? job.row.previousElementSibling;
  job.row.remove();
  next_?.querySelector<HTMLElement>("button:not([hidden])")?.focus();
  try {
    await job.upload?.abort(true);
  } catch {
    // The server forgets unfinished uploads by itself.
  }
  next();
}

function next(): void {
  const free = atOnce - jobs.filter((j) => j.state === "sending" || j.state === "lost").length;
  for (const job of jobs.filter((j) => j.state === "waiting").slice(0, Math.max(0, free))) void send(job);
}

async function send(job: Job): Promise<void> {
  change(job, "sending", say("upload.starting"));
  job.upload = new Upload(job.file, {
    endpoint: "/uploads/",
    metadata: { filename: job.file.name },
    chunkSize: 16 << 20,
    retryDelays: [0, 1000, 2000, 4000, 8000, 15_000, 30_000, 60_000, 60_000, 60_000],
    removeFingerprintOnSuccess: true,
    onShouldRetry: (error, attempt) => {
      const status = error.originalResponse?.getStatus() ?? 0;
      const worth = status === 0 || status === 409 || status === 423 || status === 429 || status >= 500;
      if (worth) change(job, "lost", say(attempt < 2 ? "upload.lost" : "upload.lost.long"));
      return worth;
    },
    onProgress: (sent, total) => {
      job.rate.note(sent, performance.now());
      const part = total ? sent / total : 0;
      job.row.querySelector("progress")!.value = part * 100;
      const left = job.rate.left(total - sent);
      const percent = new Intl.NumberFormat(undefined, { style: "percent" }).format(part);
      change(job, "sending", left === undefined ? percent : say("upload.left", { percent, left: span(left) }));
    },
    onSuccess: ({ lastResponse }) => finished(job, lastResponse.getHeader("Antiphon-Draft") ?? ""),
    onError: (error) => {
      const status = "originalResponse" in error ? error.originalResponse?.getStatus() : 0;
      change(job, "failed", say(status === 413 ? "upload.refused.large" : status === 401 || status === 403 ? "upload.refused.login" : status === 507 ? "upload.refused.full" : "upload.failed"));
      announce(`${job.file.name}: ${job.row.querySelector("[data-state]")!.textContent}`);
      next();
    },
  });
  try {
    const [before] = await job.upload.findPreviousUploads();
    if (before) job.upload.resumeFromPreviousUpload(before);
  } catch {
    // Without storage the upload begins at the beginning.
  }
  if (job.state === "sending") job.upload.start();
}

function finished(job: Job, draft: string): void {
  job.draft = draft;
  job.row.querySelector("progress")!.value = 100;
  change(job, "done", say("upload.done"));
  announce(say("upload.done.name", { name: job.file.name }));
  const open = job.row.querySelector<HTMLAnchorElement>("[data-open]")!;
  open.href = draft || "/studio";
  open.hidden = false;
  next();
  const alone = jobs.filter((j) => j.state !== "stopped" && j.state !== "failed").length === 1;
  if (alone && draft && job.row.isConnected) void visit(draft);
  if (jobs.every((j) => j.state === "done" || j.state === "stopped") && alone) jobs.length = 0;
}

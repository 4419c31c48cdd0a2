// The page of a draft: the steps of the work as they go, the form that tags fill, the cover, where the preview begins.
import { pageEvent } from "./nav";
import { announce, clock, hasText, say, span } from "./words";
import { drawWave, peaksOf } from "./wave";

interface Step { name: string; state: string; done: number; message?: string }
interface Progress { state: string; steps: Step[]; left?: number }

/** Follows the work until the draft is ready or has failed. */
export function progress(root: HTMLElement): void {
  const url = root.dataset.progress;
  if (root.dataset.state !== "working" || !url) return;
  let failures = 0;
  let filled = "";
  const left = root.querySelector<HTMLElement>("[data-left]");
  const ask = async () => {
    if (!root.isConnected) return;
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" });
      if (!answer.ok) throw new Error(String(answer.status));
      const now = (await answer.json()) as Progress;
      failures = 0;
      for (const step of now.steps ?? []) drawStep(root, step);
      if (left) left.textContent = now.left ? say("draft.left", { left: span(now.left) }) : "";
      // What a step found out (tags, length, waveform) fills the form.
      const done = (now.steps ?? []).filter((s) => s.state === "done").map((s) => s.name).join(" ");
      if (done !== filled || now.state !== "working") {
        filled = done;
        if (await refresh(root, now.state)) return;
      }
    } catch {
      if (++failures === 3 && left) left.textContent = say("draft.offline");
    }
    setTimeout(() => void ask(), document.hidden ? 5000 : Math.min(10_000, 600 * 2 ** failures));
  };
  setTimeout(() => void ask(), 400);
}

function drawStep(root: HTMLElement, step: Step): void {
  const item = root.querySelector<HTMLElement>(`[data-step="${CSS.escape(step.name)}"]`);
  if (!item) return;
  item.querySelector("progress")!.value = Math.round(Math.min(1, Math.max(0, step.done || 0)) * 100);
  if (item.classList.contains(step.state)) return;
  item.className = `step ${step.state}`;
  const key = `step.state.${step.state}`;
  item.querySelector(".step-state")!.textContent = hasText(key) ? say(key) : "";
}

/** Brings in what the server knows now. True when the work is at an end and nothing is left to follow. */
async function refresh(root: HTMLElement, state: string): Promise<boolean> {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
  if (!answer.ok || !root.isConnected) return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const nowForm = document.querySelector<HTMLFormElement>("form.draft-form");
  const newForm = page.querySelector<HTMLFormElement>("form.draft-form");
  if (nowForm && newForm) fill(nowForm, newForm);
  swap("main h1", page);
  if (state === "working") return false;
  const work = page.querySelector<HTMLElement>('[data-module="draft"]');
  if (!work) return false;
  root.replaceWith(document.adoptNode(work));
  if (!newForm) nowForm?.remove();
  announce(say(state === "ready" ? "draft.isready" : "draft.isfailed"));
  document.dispatchEvent(new Event(pageEvent));
  return true;
}

function swap(selector: string, page: Document): void {
  const now = document.querySelector(selector);
  const next = page.querySelector(selector);
  if (now && next && now.outerHTML !== next.outerHTML) now.replaceWith(document.adoptNode(next));
}

// A field that the artist has touched stays as it is; the others take what the server found.
function fill(now: HTMLFormElement, next: HTMLFormElement): void {
  for (const field of now.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>('input[type="text"],textarea')) {
    const found = next.querySelector<HTMLInputElement | HTMLTextAreaElement>(`[name="${CSS.escape(field.name)}"]`);
    if (!found || field.value !== field.defaultValue || document.activeElement === field) continue;
    field.value = field.defaultValue = found.defaultValue;
  }
  const cover = now.querySelector<HTMLInputElement>("[data-cover-input]");
  const oldDrop = now.querySelector("[data-cover-drop] .cover");
  const newDrop = next.querySelector("[data-cover-drop] .cover");
  if (cover && !cover.files?.length && oldDrop && newDrop) oldDrop.replaceWith(document.adoptNode(newDrop));
  const cut = now.querySelector<HTMLElement>("[data-cut]");
  const range = cut?.querySelector("input");
  const newCut = next.querySelector<HTMLElement>("[data-cut]");
  if (cut && newCut && range && range.value === range.defaultValue && document.activeElement !== range) {
    cut.replaceWith(document.adoptNode(newCut));
    startCut(now);
  }
  const publish = now.querySelector<HTMLButtonElement>("[data-publish]");
  const ready = next.querySelector<HTMLButtonElement>("[data-publish]");
  if (publish && ready) publish.disabled = ready.disabled;
  const hint = now.querySelector<HTMLElement>("[data-publish-hint]");
  if (hint && !next.querySelector("[data-publish-hint]")) hint.remove();
  const hear = next.querySelector(".hear");
  if (hear && !now.querySelector(".hear")) now.querySelector("#preview-error")?.after(document.adoptNode(hear));
}

/** Starts the form's own conveniences. */
export function form(root: HTMLElement): void {
  startCut(root);
  const drop = root.querySelector<HTMLElement>("[data-cover-drop]");
  const input = root.querySelector<HTMLInputElement>("[data-cover-input]");
  if (!drop || !input) return;
  const showCover = () => {
    const file = input.files?.[0];
    if (!file) return;
    const reader = new FileReader();
    reader.onload = () => {
      const image = new Image();
      image.className = "cover";
      image.alt = "";
      image.src = String(reader.result);
      drop.querySelector(".cover")?.replaceWith(image);
    };
    reader.readAsDataURL(file);
    drop.querySelector(".cover-words")!.textContent = say("draft.cover.change");
  };
  input.addEventListener("change", showCover);
  drop.addEventListener("dragover", (e) => e.preventDefault());
  drop.addEventListener("drop", (e) => {
    e.preventDefault();
    const file = [...(e.dataTransfer?.files ?? [])].find((f) => f.type.startsWith("image/"));
    if (!file) return;
    const one = new DataTransfer();
    one.items.add(file);
    input.files = one.files;
    showCover();
  });
}

function startCut(root: ParentNode): void {
  const cut = root.querySelector<HTMLElement>("[data-cut]");
  const input = cut?.querySelector<HTMLInputElement>("input");
  const canvas = cut?.querySelector("canvas");
  if (!cut || !input || !canvas) return;
  const length = Number(cut.dataset.length) || 0;
  const part = Number(cut.dataset.window) || 30;
  const peaks = peaksOf(cut.dataset.peaks);
  const words = root.querySelector("[data-cut-words]");
  const draw = () => {
    const last = Math.max(0, length - part);
    if (Number(input.value) > last) input.value = String(last);
    const at = Number(input.value);
    const said = say("draft.preview.at", { at: clock(at) });
    if (words) words.textContent = said;
    input.setAttribute("aria-valuetext", said);
    if (peaks.length && length) drawWave(canvas, peaks, at / length, (at + part) / length);
  };
  if (peaks.length) cut.classList.add("drawn");
  input.addEventListener("input", draw);
  new ResizeObserver(draw).observe(canvas);
  draw();
}

// Moves between pages without unloading: the new <main> and header are swapped in, the player outside of them goes
// on. Whatever it cannot do is left to the browser.
import { announce, say } from "./words";

/** Dispatched on the document after the content of a page was put in. */
export const pageEvent = "antiphon:page";

interface Place { key: number; x: number; y: number }

const own = () => new URL(document.documentElement.dataset.base || location.origin, location.href).origin === location.origin;
let running: AbortController | undefined;
let key = Date.now();
let shown = "";
const scrolls = new Map<number, [number, number]>();

/** Starts to intercept. */
export function startNavigation(): void {
  if (!own()) return;
  history.scrollRestoration = "manual";
  shown = location.pathname + location.search;
  const place = history.state as Place | null;
  if (place?.key) {
    key = place.key;
    scrollTo(place.x, place.y);
  } else {
    history.replaceState({ key, x: 0, y: 0 }, "");
  }
  document.addEventListener("click", onClick);
  document.addEventListener("submit", onSubmit);
  addEventListener("popstate", (e) => void onPop(e));
  addEventListener("pagehide", () => history.replaceState({ key, x: scrollX, y: scrollY }, ""));
}

/** Goes to a page of this site, or loads it the ordinary way when that is not possible. */
export async function visit(url: string | URL, init: RequestInit = {}): Promise<void> {
  const to = new URL(url, location.href);
  const done = await load(to, init);
  if (!done) return;
  scrolls.set(key, [scrollX, scrollY]);
  const same = done.url.href === location.href;
  key = Date.now();
  history[same ? "replaceState" : "pushState"]({ key, x: 0, y: 0 }, "", done.url);
  show(done.page, done.url);
  const goal = done.url.hash && document.getElementById(decodeURIComponent(done.url.hash.slice(1)));
  if (goal) goal.scrollIntoView();
  else scrollTo(0, 0);
}

/** Whether a click on a link is ours to handle. */
export function handles(link: HTMLAnchorElement, e: MouseEvent): boolean {
  if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return false;
  if (link.target && link.target !== "_self") return false;
  if (link.hasAttribute("download") || link.closest("[data-full-load]")) return false;
  const to = new URL(link.href, location.href);
  if (to.origin !== location.origin || !/^https?:$/.test(to.protocol)) return false;
  return to.pathname !== location.pathname || to.search !== location.search || !to.hash;
}

function onClick(e: MouseEvent): void {
  const link = (e.target as Element | null)?.closest?.<HTMLAnchorElement>("a[href]");
  if (!link || !handles(link, e)) return;
  e.preventDefault();
  void visit(link.href);
}

function onSubmit(e: SubmitEvent): void {
  const form = e.target as HTMLFormElement;
  const button = e.submitter as HTMLButtonElement | null;
  if (e.defaultPrevented) return;
  const question = form.dataset.confirm;
  if (question && !confirm(question)) {
    e.preventDefault();
    return;
  }
  const method = (button?.getAttribute("formmethod") ?? form.getAttribute("method") ?? "get").toLowerCase();
  if (method === "dialog" || form.closest("[data-full-load]") || form.hasAttribute("data-logout")) return;
  const to = new URL(button?.getAttribute("formaction") ?? form.getAttribute("action") ?? location.href, location.href);
  if (to.origin !== location.origin) return;
  e.preventDefault();
  const data = new FormData(form, button);
  if (method === "get") {
    to.search = encoded(data).toString();
    void visit(to);
    return;
  }
  void visit(to, { method: "POST", body: form.enctype === "multipart/form-data" ? data : encoded(data) });
}

function encoded(data: FormData): URLSearchParams {
  const fields = new URLSearchParams();
  for (const [name, value] of data) if (typeof value === "string") fields.append(name, value);
  return fields;
}

async function onPop(e: PopStateEvent): Promise<void> {
  if (location.pathname + location.search === shown) return;
  scrolls.set(key, [scrollX, scrollY]);
  const place = e.state as Place | null;
  const done = await load(new URL(location.href), {});
  if (!done) return;
  key = place?.key ?? Date.now();
  show(done.page, done.url);
  const [x, y] = scrolls.get(key) ?? [place?.x ?? 0, place?.y ?? 0];
  scrollTo(x, y);
}

async function load(to: URL, init: RequestInit): Promise<{ page: Document; url: URL } | undefined> {
  running?.abort();
  const mine = (running = new AbortController());
  const line = document.getElementById("progress");
  const late = setTimeout(() => line?.removeAttribute("hidden"), 150);
  try {
    const answer = await fetch(to, { ...init, signal: mine.signal, headers: { Accept: "text/html" }, credentials: "same-origin" });
    const url = new URL(answer.url || to);
    if (!url.hash) url.hash = to.hash;
    const html = answer.headers.get("Content-Type")?.startsWith("text/html") ? await answer.text() : "";
    const page = html ? new DOMParser().parseFromString(html, "text/html") : undefined;
    if (!page || !page.getElementById("main") || url.origin !== location.origin || script(page) !== script(document)) {
      // Not one of our pages, or pages of a newer build: a POST that was answered must not be sent again.
      location.assign(url);
      return undefined;
    }
    return { page, url };
  } catch {
    if (!mine.signal.aborted) {
      if ((init.method ?? "GET") === "GET") location.assign(to);
      else alert(say("nav.offline"));
    }
    return undefined;
  } finally {
    clearTimeout(late);
    if (running === mine) line?.setAttribute("hidden", "");
  }
}

function script(page: Document): string {
  return page.querySelector('script[type="module"]')?.getAttribute("src") ?? "";
}

function show(page: Document, url: URL): void {
  shown = url.pathname + url.search;
  document.title = page.title;
  for (const name of ["data-actor", "data-custody"]) {
    const value = page.documentElement.getAttribute(name);
    if (value === null) document.documentElement.removeAttribute(name);
    else document.documentElement.setAttribute(name, value);
  }
  for (const part of ["#main", "header.top", "footer.foot"]) {
    const now = document.querySelector(part);
    const next = page.querySelector(part);
    if (now && next) now.replaceWith(document.adoptNode(next));
  }
  const main = document.getElementById("main");
  const wanted = main?.querySelector<HTMLElement>('[aria-invalid="true"],[autofocus]') ?? main;
  wanted?.focus({ preventScroll: true });
  announce(page.title);
  document.dispatchEvent(new Event(pageEvent));
}

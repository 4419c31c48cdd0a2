// The first module of every page: small, and the only one that is always loaded. The others come when a page or a
// click asks for them.
import { pageEvent, startNavigation } from "./nav";
import { localize, say } from "./words";

type Module = (root: HTMLElement) => void;

// Each page names what it needs by data-module; the name chooses the module.
const modules: Record<string, () => Promise<Module>> = {
  signup: async () => (await import("./auth")).signup,
  login: async () => (await import("./auth")).login,
  recover: async () => (await import("./auth")).recover,
  passphrase: async () => (await import("./auth")).passphrase,
  guest: async () => (await import("./auth")).guest,
  leave: async () => (await import("./auth")).leave,
  custody: async () => (await import("./auth")).custody,
  keys: async () => (await import("./keys")).compareKeys,
  rotate: async () => (await import("./rotate")).rotate,
  asknew: async () => (await import("./rotate")).askAnew,
  along: async () => (await import("./rotate")).along,
  upload: async () => (await import("./upload")).upload,
  draft: async () => (await import("./draft")).progress,
  draftform: async () => (await import("./draft")).form,
  order: async () => (await import("./order")).order,
  copy: async () => (await import("./copy")).copy,
  zip: async () => (await import("./zip")).zip,
  downloads: async () => (await import("./download")).downloads,
};

const player = () => import("./player");

function enhance(): void {
  localize(document);
  ahead();
  for (const root of document.querySelectorAll<HTMLElement>("[data-module]")) {
    if (root.dataset.started !== undefined) continue;
    root.dataset.started = "";
    const module = modules[root.dataset.module ?? ""];
    if (module) void begin(root, module);
  }
}

// A form that only its module can send is sent when that has come, if somebody was quicker: over a slow line that is seconds.
async function begin(root: HTMLElement, module: () => Promise<Module>): Promise<void> {
  const form = root instanceof HTMLFormElement && root.method === "dialog" ? root : undefined;
  let waits = false;
  let failed = false;
  const complain = () => {
    const place = form?.querySelector<HTMLElement>('[data-error=""]');
    if (!place) return;
    place.textContent = say("post.unexpected");
    place.hidden = false;
  };
  const keep = (e: Event) => {
    e.preventDefault();
    waits = true;
    if (failed) complain();
  };
  form?.addEventListener("submit", keep);
  try {
    (await module())(root);
  } catch (error) {
    console.error(error);
    failed = true;
    if (waits) complain();
    return;
  }
  form?.removeEventListener("submit", keep);
  if (waits) form?.requestSubmit();
}

function playButton(e: Event): HTMLElement | null {
  return (e.target as Element | null)?.closest?.<HTMLElement>("[data-play]") ?? null;
}

document.addEventListener("click", (e) => {
  const button = playButton(e);
  if (!button) return;
  // The button answers at once; the sound follows.
  button.dataset.busy = "";
  void player().then((p) => p.playFrom(button)).finally(() => delete button.dataset.busy);
});

// Whoever rests on a play button is about to press it; who only passes over a list is not.
let resting = 0;
for (const type of ["pointerover", "focusin", "pointerdown"]) {
  document.addEventListener(type, (e) => {
    clearTimeout(resting);
    const button = playButton(e);
    if (button) resting = setTimeout(() => void player().then((p) => p.prepare(button)), type === "pointerdown" ? 0 : 120);
  }, { passive: true });
}

// On pages of one's own music the code for it comes when the browser has nothing else to do.
function ahead(): void {
  const saving = (navigator as { connection?: { saveData?: boolean } }).connection?.saveData;
  if (saving || !document.querySelector("main [data-owned] [data-play]")) return;
  const idle = globalThis.requestIdleCallback ?? ((f: () => void) => setTimeout(f, 1500));
  idle(() => void player().then((p) => p.ahead()));
}

// A log-out also forgets the seed that this browser kept, and only then asks the server.
document.addEventListener("submit", (e) => {
  const form = e.target as HTMLFormElement;
  if (e.defaultPrevented || !form.hasAttribute("data-logout") || form.dataset.cleared !== undefined) return;
  e.preventDefault();
  void import("./seeds").then((s) => s.forgetAll()).finally(() => {
    form.dataset.cleared = "";
    form.submit();
  });
});

document.addEventListener("click", (e) => {
  const menu = document.querySelector<HTMLDetailsElement>("details.menu[open]");
  if (menu && !menu.contains(e.target as Node)) menu.open = false;
});
document.addEventListener("keydown", (e) => {
  const menu = document.querySelector<HTMLDetailsElement>("details.menu[open]");
  if (!menu || e.key !== "Escape") return;
  menu.open = false;
  menu.querySelector("summary")?.focus();
});

document.addEventListener(pageEvent, enhance);
startNavigation();
enhance();

// Signing up, logging in, changing the passphrase, recovering. The passphrase stays in this module: its fields have no
// name, its forms post nothing, and only what was derived from it is sent.
import { b64u, unb64u } from "./bytes";
import { copyText } from "./copy";
import { canEncrypt, halves, random, unwrapSeed, wrapSeed } from "./crypt";
import { publicKeys } from "./keys";
import { localPath, onSubmit, postJSON, Refusal, showError } from "./post";
import { askedGroups, parseRecovery, RecoveryError, recoveryGroups, sameGroup } from "./recovery";
import { forgetAll, keepSeed, seedOf } from "./seeds";
import { level } from "./strength";
import { say } from "./words";

interface Next { next?: string }
interface LoggedIn extends Next { actor: string; custody: string; wrapped: string; version: number }

const $ = <T extends HTMLElement>(root: ParentNode, selector: string) => root.querySelector<T>(selector)!;
const value = (root: ParentNode, selector: string) => root.querySelector<HTMLInputElement>(selector)?.value ?? "";

/** The actor URI of a local name. */
export function actorOf(name: string): string {
  return `${document.documentElement.dataset.base}/users/${name}`;
}

/** The local name in what was typed: "Ada", "@ada" and "@ada@here.example" are ada. */
export function localName(typed: string, host: string): string {
  const parts = typed.trim().replace(/^@/, "").toLowerCase().split("@");
  return parts.length === 2 && parts[1] === host.toLowerCase() ? parts[0] : parts.join("@");
}

export function signup(root: HTMLElement): void {
  const form = $<HTMLFormElement>(root, '[data-step="form"]');
  startPassphrase(form, () => [value(form, "#name"), value(form, "#display")]);
  const own = () => value(form, 'input[name="custody"]:checked') === "own";
  const hint = form.querySelector<HTMLElement>("[data-next-hint]");
  for (const radio of form.querySelectorAll('input[name="custody"]')) {
    radio.addEventListener("change", () => hint && (hint.hidden = !own()));
  }
  onSubmit(form, () => say("auth.busy"), async () => {
    const name = value(form, "#name").trim();
    if (!/^[a-z0-9_]{1,30}$/.test(name)) throw new Refusal(say("auth.badname"), "name");
    const passphrase = newPassphrase(form);
    const actor = actorOf(name);
    const { auth, wrap } = await halves(passphrase, actor);
    const seed = root.dataset.guest === undefined ? random(32) : await guestSeed();
    const keys = publicKeys(seed);
    const send = async (recovery: string) => {
      const { next } = await postJSON<Next>("/signup", {
        name, display: value(form, "#display").trim() || name, custody: own() ? "own" : "delegated",
        auth: b64u(auth), wrapped: own() ? wrapSeed(wrap, seed, actor, 1) : b64u(seed), recovery,
        receivingKey: keys.receiving, requestingKey: keys.requesting,
        invite: value(form, "#invite").trim() || root.dataset.invite || "",
        reason: value(form, "#reason").trim(),
      });
      await keepSeed(actor, { seed, version: 1 }).catch(() => undefined);
      location.assign(localPath(next));
    };
    if (!own()) return send("");
    const key = random(32);
    await showRecovery(root, key, () => send(wrapSeed(key, seed, actor, 1)));
  });
}

// A guest who makes an account keeps the key that opens what was bought.
async function guestSeed(): Promise<Uint8Array> {
  const kept = await seedOf(document.documentElement.dataset.actor!).catch(() => undefined);
  if (!kept) throw new Refusal(say("guest.absent"));
  return kept.seed;
}

/** Makes a guest's key in this browser, or opens the one that was made in another. */
export async function guest(root: HTMLElement): Promise<void> {
  const actor = document.documentElement.dataset.actor!;
  const { receiving, recovery, next } = root.dataset;
  const form = $<HTMLFormElement>(root, '[data-step="form"]');
  needCrypto(form);
  const go = () => location.assign(localPath(next));
  onSubmit(form, () => say("auth.busy"), async () => {
    if (receiving) {
      await keepSeed(actor, { seed: await recovered($<HTMLTextAreaElement>(form, "[data-recovery-key]").value, recovery!, actor), version: 1 });
      return go();
    }
    const seed = random(32);
    const key = random(32);
    const keys = publicKeys(seed);
    await showRecovery(root, key, async () => {
      // Kept first: keys that the server has and this browser has not could not be made again.
      await keepSeed(actor, { seed, version: 1 });
      await postJSON("/guest/keys", { receivingKey: keys.receiving, requestingKey: keys.requesting, recovery: wrapSeed(key, seed, actor, 1) });
      go();
    });
  });
  if (!receiving) return;
  const kept = await seedOf(actor).catch(() => undefined);
  if (kept && publicKeys(kept.seed).receiving === receiving) go();
}

// The seed under a recovery key as it was typed.
async function recovered(typed: string, wrapped: string, actor: string): Promise<Uint8Array> {
  try {
    return unwrapSeed(await parseRecovery(typed), wrapped, actor, 1);
  } catch (error) {
    throw new Refusal(say(error instanceof RecoveryError ? `recovery.${error.fault}` : "recovery.other"), "recovery");
  }
}

export function login(root: HTMLElement): void {
  startReveal(root);
  needCrypto(root);
  onSubmit(root as HTMLFormElement, () => say("auth.login.busy"), async () => {
    const name = localName(value(root, "#name"), new URL(document.documentElement.dataset.base!).host);
    if (name.includes("@")) throw new Refusal(say("auth.elsewhere"));
    const { auth, wrap } = await halves(value(root, "[data-passphrase]"), actorOf(name));
    const in_ = await postJSON<LoggedIn>("/login", { name, auth: b64u(auth) });
    if (in_.wrapped) await keepSeed(in_.actor, { seed: opened(in_, wrap), version: in_.version });
    location.assign(localPath(root.dataset.next, in_.next));
  });
}

// An own-key account gets its seed wrapped; a delegated one gets it bare, or not at all when the server plays for it.
function opened(in_: LoggedIn, wrap: Uint8Array): Uint8Array {
  try {
    if (in_.custody === "delegated") {
      const seed = unb64u(in_.wrapped);
      if (seed.length === 32) return seed;
    }
    return unwrapSeed(wrap, in_.wrapped, in_.actor, in_.version);
  } catch {
    throw new Refusal(say("auth.seed.broken"));
  }
}

export function recover(root: HTMLElement): void {
  const { token, actor, custody, recovery } = root.dataset;
  startPassphrase(root, () => []);
  const without = root.querySelector<HTMLInputElement>("[data-without]");
  const typed = root.querySelector<HTMLTextAreaElement>("[data-recovery-key]");
  without?.addEventListener("change", () => typed && (typed.disabled = without.checked));
  onSubmit(root as HTMLFormElement, () => say("auth.busy"), async () => {
    const version = Number(root.dataset.version) + 1;
    let seed: Uint8Array | undefined;
    if (recovery && typed && !without?.checked) {
      seed = await recovered(typed.value, recovery, actor!);
    }
    const { auth, wrap } = await halves(newPassphrase(root), actor!);
    const body: { auth: string; wrapped?: string } = { auth: b64u(auth) };
    if (seed && custody !== "delegated") body.wrapped = wrapSeed(wrap, seed, actor!, version);
    const { next } = await postJSON<Next>(`/recover/${encodeURIComponent(token!)}`, body);
    if (seed) await keepSeed(actor!, { seed, version }).catch(() => undefined);
    location.assign(localPath(next));
  });
}

export function passphrase(root: HTMLElement): void {
  const { actor, name } = root.dataset;
  startPassphrase(root, () => [name ?? ""]);
  onSubmit(root as HTMLFormElement, () => say("auth.busy"), async () => {
    const next = newPassphrase(root);
    const now = await halves(value(root, "[data-current]"), actor!);
    const then = await halves(next, actor!);
    const version = Number(root.dataset.version) + 1;
    let wrapped = "";
    let seed: Uint8Array | undefined;
    if (document.documentElement.dataset.custody !== "delegated") {
      seed = (await seedOf(actor!).catch(() => undefined))?.seed;
      if (!seed) throw new Refusal(say("auth.seed.absent"));
      wrapped = wrapSeed(then.wrap, seed, actor!, version);
    }
    const done = await postJSON<Next>("/settings/passphrase", { auth: b64u(now.auth), newAuth: b64u(then.auth), wrapped });
    if (seed) await keepSeed(actor!, { seed, version });
    location.assign(localPath(done.next ?? location.pathname));
  });
}

/** Deletes the account: the passphrase is proven, and the key in this browser goes with it. */
export function leave(root: HTMLElement): void {
  const { actor } = root.dataset;
  needCrypto(root);
  onSubmit(root as HTMLFormElement, () => say("auth.busy"), async () => {
    const { auth } = await halves(value(root, "[data-current]"), actor!);
    const { next } = await postJSON<Next>("/settings/account/delete", { auth: b64u(auth) });
    await forgetAll().catch(() => undefined);
    location.assign(localPath(next));
  });
}

/** Changes who keeps the key. Giving it away sends the bare seed; taking it back sends it wrapped, with a new recovery key. */
export function custody(root: HTMLElement): void {
  const form = root.matches("form") ? (root as HTMLFormElement) : $<HTMLFormElement>(root, "form");
  const { actor, custody: now } = root.dataset;
  startReveal(root);
  const secret = $(root, "[data-custody-secret]");
  const chosen = () => value(form, 'input[name="custody"]:checked');
  const look = () => (secret.hidden = chosen() === now);
  for (const radio of form.querySelectorAll('input[name="custody"]')) radio.addEventListener("change", look);
  look();
  onSubmit(form, () => say("auth.busy"), async () => {
    const to = chosen();
    if (to === now) throw new Refusal(say("custody.same"));
    const seed = (await seedOf(actor!).catch(() => undefined))?.seed;
    if (!seed) throw new Refusal(say("auth.seed.absent"));
    const { auth, wrap } = await halves(value(form, "[data-current]"), actor!);
    const version = Number(root.dataset.version) + 1;
    const send = async (wrapped: string, recovery: string) => {
      const { next } = await postJSON<Next>("/settings/custody", { custody: to, auth: b64u(auth), wrapped, recovery });
      await keepSeed(actor!, { seed, version });
      location.assign(localPath(next ?? location.pathname));
    };
    if (to === "delegated") return send(b64u(seed), "");
    const key = random(32);
    await showRecovery(root, key, () => send(wrapSeed(wrap, seed, actor!, version), wrapSeed(key, seed, actor!, 1)));
  });
}

// Shows the recovery key once, asks for two of its groups, and only then goes on.
async function showRecovery(root: HTMLElement, key: Uint8Array, go: () => Promise<void>): Promise<void> {
  const groups = await recoveryGroups(key);
  const list = $(root, "[data-groups]");
  list.replaceChildren(...groups.map((g) => Object.assign(document.createElement("li"), { textContent: g })));
  const [a, b] = askedGroups((below) => random(1)[0] % below);
  const asked = [...root.querySelectorAll<HTMLInputElement>("[data-asked]")];
  root.querySelectorAll("[data-asked-label]").forEach((l, i) => (l.textContent = say("recovery.group", { n: [a, b][i] + 1 })));
  for (const input of asked) input.value = "";
  const copyButton = $(root, "[data-copy-key]");
  copyButton.onclick = () => void copyText(groups.join(" "), copyButton);
  $(root, "[data-print]").onclick = () => print();
  $(root, "[data-written]").onclick = () => step(root, "confirm");
  $(root, "[data-back]").onclick = () => step(root, "show");
  const confirm = $<HTMLFormElement>(root, '[data-step="confirm"]');
  if (confirm.dataset.ready === undefined) {
    confirm.dataset.ready = "";
    onSubmit(confirm, () => say("auth.busy"), () => confirmed.get(confirm)!());
  }
  confirmed.set(confirm, async () => {
    if (!sameGroup(asked[0].value, groups[a]) || !sameGroup(asked[1].value, groups[b])) {
      throw new Refusal(say("recovery.mismatch"), "asked");
    }
    try {
      await go();
    } catch (error) {
      // What the server refuses is about the first form: a name that was taken meanwhile, say.
      if (!(error instanceof Refusal) || !error.field) throw error;
      step(root, "form");
      showError($(root, '[data-step="form"]'), error);
    }
  });
  step(root, "show");
}

const confirmed = new WeakMap<HTMLFormElement, () => Promise<void>>();

function step(root: HTMLElement, name: string): void {
  for (const part of root.querySelectorAll<HTMLElement>("[data-step]")) part.hidden = part.dataset.step !== name;
  const part = root.querySelector<HTMLElement>(`[data-step="${name}"]`);
  part?.querySelector<HTMLElement>(name === "confirm" ? "[data-asked]" : "h1,input")?.focus();
  scrollTo(0, 0);
}

function newPassphrase(root: HTMLElement): string {
  const typed = value(root, "[data-passphrase]");
  if (Array.from(typed).length < 10) throw new Refusal(say("auth.short"), "passphrase");
  if (level(typed) < 2) throw new Refusal(say("auth.weak"), "passphrase");
  if (typed.normalize("NFKC") !== value(root, "[data-again]").normalize("NFKC")) throw new Refusal(say("auth.differ"), "again");
  return typed;
}

function startPassphrase(root: HTMLElement, known: () => string[]): void {
  startReveal(root);
  needCrypto(root);
  const input = $<HTMLInputElement>(root, "[data-passphrase]");
  const meter = root.querySelector<HTMLElement>("[data-strength]");
  const words = root.querySelector<HTMLElement>("[data-strength-words]");
  input.addEventListener("input", () => {
    if (!meter || !words) return;
    const now = level(input.value, known());
    if (now) meter.dataset.level = String(now);
    else delete meter.dataset.level;
    const said = now ? say(`strength.${now}`) : "";
    if (words.textContent !== said) words.textContent = said;
  });
}

function startReveal(root: HTMLElement): void {
  for (const button of root.querySelectorAll<HTMLElement>("[data-reveal]")) {
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(shown));
      button.textContent = say(shown ? "auth.hide" : "auth.show");
      const now = shown ? "text" : "password";
      for (const input of root.querySelectorAll<HTMLInputElement>("[data-passphrase],[data-again],[data-current]")) input.type = now;
    });
  }
}

function needCrypto(root: HTMLElement): void {
  if (canEncrypt()) return;
  const place = root.querySelector<HTMLElement>('[data-error=""]');
  if (!place) return;
  place.textContent = say("auth.insecure");
  place.hidden = false;
}

// A listener's new key: made in this browser from the seed that it has, vouched for by the old one. Then each seller is
// asked to grant anew what was bought, in agreements that the key of each receipt signs.
import { base32, sha256, utf8 } from "./bytes";
import { random } from "./crypt";
import { generationOf, generations, publicKeys } from "./keys";
import { Listener } from "./keytree";
import { localPath, onSubmit, postJSON, Refusal } from "./post";
import { seedOf } from "./seeds";
import { signAgain, signLink, type Pair } from "./signing";
import { say } from "./words";

interface Item { receipt: string; product: string; artist: string; track: string; title: string; requestingKey: string }
interface Open {
  actor: string; number: number; receiving: string; requesting: string;
  to?: { actor: string; receiving: string; requesting: string };
  items: Item[];
}

// How many agreements go in one request.
const batch = 50;

/** Makes the next key and asks for everything anew. */
export function rotate(form: HTMLElement): void {
  onSubmit(form as HTMLFormElement, () => say("rotate.busy"), async () => {
    const { open, seed } = await current();
    if (open.number >= generations) throw new Refusal(say("rotate.many"));
    const keys = new Listener(seed);
    const link = signLink(open.actor, open.number, keys.requesting(open.number), publicKeys(seed, open.number + 1), new Date());
    const { next } = await postJSON<{ next: string }>("/settings/keys", { link: JSON.parse(link) });
    await ask();
    location.assign(localPath(next));
  });
}

/** Asks for what was not asked for yet. */
export function askAnew(form: HTMLElement): void {
  onSubmit(form as HTMLFormElement, () => say("rotate.busy"), async () => {
    await ask();
    location.assign("/settings/keys");
  });
}

async function ask(): Promise<void> {
  const { open, seed } = await current();
  const signed = sign(open, seed, open.items, { receiving: open.receiving, requesting: open.requesting });
  for (let i = 0; i < signed.length; i += batch) {
    await postJSON("/settings/keys/anew", { agreements: signed.slice(i, i + batch).map((s) => s.agreement) });
  }
}

/** Saves a file with which the library is granted to the account that this one has moved to. */
export function along(form: HTMLElement): void {
  onSubmit(form as HTMLFormElement, () => say("rotate.busy"), async () => {
    const { open, seed } = await current("?along");
    const to = open.to!;
    const typed = form.querySelector<HTMLInputElement>("[data-print]")!.value.replace(/\s/g, "").toUpperCase();
    // This server says which keys the new account has. Who moves has seen them at the other server.
    if (typed !== (await fingerprint(to))) throw new Refusal(say("along.print.wrong"), "print");
    const items = sign(open, seed, open.items, to).map(({ item, agreement }) => ({ artist: item.artist, track: item.track, title: item.title, agreement }));
    if (items.length === 0) throw new Refusal(say("along.none"));
    const file = new Blob([JSON.stringify({ type: "antiphon-library", from: open.actor, to: to.actor, items })], { type: "application/json" });
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: "antiphon-library.json" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  });
}

// What stands to be signed, and the seed, whose key of now the server must name rightly.
async function current(query = ""): Promise<{ open: Open; seed: Uint8Array }> {
  const answer = await fetch(`/settings/keys/open${query}`, { credentials: "same-origin", headers: { Accept: "application/json" } }).catch(() => undefined);
  if (!answer) throw new Refusal(say("post.offline"));
  const open = (await answer.json().catch(() => ({}))) as Open & { error?: string };
  if (!answer.ok || open.error) throw new Refusal(open.error || say("post.refused"));
  const seed = (await seedOf(document.documentElement.dataset.actor!).catch(() => undefined))?.seed;
  if (!seed) throw new Refusal(say("auth.seed.absent"));
  const own = publicKeys(seed, open.number);
  if (open.actor !== document.documentElement.dataset.actor || own.receiving !== open.receiving || own.requesting !== open.requesting) {
    throw new Refusal(say("rotate.other"));
  }
  return { open, seed };
}

// Each purchase is signed for with the key that its receipt names; one that names no key of this listener's is left out.
function sign(open: Open, seed: Uint8Array, items: readonly Item[], to: Pair): { item: Item; agreement: unknown }[] {
  const keys = new Listener(seed);
  const numbers = new Map<string, number>();
  for (let n = 1; n <= Math.max(open.number, generationOf(seed, open.receiving)); n++) numbers.set(publicKeys(seed, n).requesting, n);
  const signed: { item: Item; agreement: unknown }[] = [];
  for (const item of items) {
    const n = numbers.get(item.requestingKey);
    if (!n) continue;
    signed.push({ item, agreement: JSON.parse(signAgain(open.actor, n, keys.requesting(n), item, to, random(16), new Date())) });
  }
  return signed;
}

// The fingerprint of two keys without its spaces, as pages show it.
async function fingerprint(pair: Pair): Promise<string> {
  return base32((await sha256(utf8(`${pair.receiving}\n${pair.requesting}`))).subarray(0, 10));
}

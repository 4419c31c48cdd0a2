// A grant made by the server (testdata/README.md), opened as the browser does it, with proxies that behave or do not.
import { test } from "node:test";
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { load } from "./bundle.mjs";

const m = await load("grant.ts", "reencrypt.ts", "httpsig.ts", "json.ts", "proof.ts", "keytree.ts", "multikey.ts");
const { ed25519 } = await import("@noble/curves/ed25519.js");
const { sha256 } = await import("@noble/hashes/sha2.js");

const read = async (path) => JSON.parse(await readFile(new URL(path, import.meta.url), "utf8"));
const vector = await read("testdata/grant.json");
const hex = (b) => Buffer.from(b).toString("hex");
const bytes = (text) => Uint8Array.from(Buffer.from(text, "hex"));
const seed = bytes(vector.listenerSeed);
const grant = JSON.parse(vector.grant);
const now = new Date("2026-11-20T13:00:00Z");

// The artist signs a changed grant anew.
function signed(change) {
  const { proof, ...object } = structuredClone(grant);
  delete proof.proofValue;
  change(object, proof);
  const digest = (o) => sha256(new TextEncoder().encode(m.canonicalize(o)));
  const hash = Uint8Array.of(...digest(proof), ...digest(object));
  return { ...object, proof: { ...proof, proofValue: "z" + m.encodeBase58(ed25519.sign(hash, bytes(vector.proofSeed))) } };
}

const problem = (status, code, headers) => new Response(JSON.stringify({ code }), { status, headers });
const honest = (set, index, request) => {
  const all = vector.answers[set][index];
  const cfrags = request.capsules.map((c) => all[grant.items.findIndex((i) => i.capsule === c)]);
  return Response.json({ grant: request.grant, set: request.set, proxy: grant.proxies[index].actor, cfrags });
};

// A world in which time passes only when everybody waits, so that the order of events is the same in each run.
function setup({ answers = {}, sets = ["2"] } = {}) {
  let clock = 0;
  let nonce = 0;
  let busy = 0; // relays at work without waiting for time
  const waiting = [];
  const log = [];
  const failures = [];
  let step;
  const turn = () => {
    clearTimeout(step);
    step = setTimeout(() => {
      if (busy > 0 || waiting.length === 0) return;
      waiting.sort((a, b) => a.at - b.at);
      const first = waiting.shift();
      clock = Math.max(clock, first.at);
      first.wake();
      turn();
    }, 2);
  };
  const world = {
    now: () => new Date(now.getTime() + clock),
    random: (n) => new Uint8Array(n).fill(++nonce),
    sleep: (millis, signal) => new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const entry = { at: clock + millis, wake: () => resolve() };
      waiting.push(entry);
      signal.addEventListener("abort", () => {
        const i = waiting.indexOf(entry);
        if (i >= 0) waiting.splice(i, 1);
        resolve();
      });
      turn();
    }),
  };
  const tries = [0, 0, 0];
  const relay = async (message, signal) => {
    const index = grant.proxies.findIndex((p) => p.reencrypt === message.url);
    const request = JSON.parse(message.body);
    log.push({ at: clock, proxy: index, set: request.set, message, count: request.capsules.length });
    busy++;
    try {
      const own = answers[index];
      if (own) {
        const answer = own(request, ++tries[index], { signal, sleep: (ms) => (busy--, world.sleep(ms, signal).finally(() => busy++)) });
        return await answer;
      }
      return sets.includes(String(request.set)) ? honest(request.set, index, request) : problem(404, "unknown-grant");
    } finally {
      busy--;
      turn();
    }
  };
  const open = (what = vector.grant, options = {}) =>
    m.openGrant(what, vector.keys, options.seed ?? seed, options.n ?? vector.n, relay, { world, failed: (f) => failures.push(f), ...options });
  return { open, log, failures, world };
}

const shown = (map) => Object.fromEntries([...map].map(([track, key]) => [track, hex(key)]));
const asked = (log) => log.map((l) => `${l.proxy}@${l.at}`).join(" ");
const [first, second] = Object.keys(vector.contentKeys);

test("the message that the server's vector freezes", async () => {
  const v = await read("../../../federation/httpsig/testdata/message.json");
  const key = new m.RequestingKey(bytes(v.seed));
  assert.equal(m.encodeMultikey("ed25519", key.publicKey), v.keyid);
  const message = m.signMessage(v.url, v.body, key, new Date(v.created * 1000), bytes(v.nonce));
  assert.deepEqual(message, { url: v.url, body: v.body, headers: v.headers });
  for (const url of ["", "https://p.example/\n\"x\": y", "https://p.example/ä"]) {
    assert.throws(() => m.signMessage(url, v.body, key, now, bytes(v.nonce)), RangeError);
  }
});

test("a grant opens with two of three proxies", async () => {
  const { open, log, failures } = setup();
  let heard;
  const opened = await open(vector.grant, { verified: (g) => (heard = g) });
  assert.deepEqual(shown(opened), vector.contentKeys);
  assert.equal(asked(log), "0@0 1@0");
  assert.deepEqual(failures, []);
  assert.equal(heard.items[0].manifest, grant.items[0].manifest);
  const [one, two] = log.map((l) => l.message.headers["Signature-Input"]);
  assert.notEqual(one, two);
});

test("only the tracks that are asked for", async () => {
  const { open, log } = setup();
  assert.deepEqual(shown(await open(vector.grant, { tracks: [second] })), { [second]: vector.contentKeys[second] });
  assert.ok(log.every((l) => l.count === 1));
  assert.equal((await open(grant, { tracks: [first] })).size, 1);
  assert.equal((await open(grant, { tracks: ["https://s.example/tracks/1"] })).size, 0);
});

test("older keys of the listener open too, others do not", async () => {
  assert.equal((await setup().open(vector.grant, { n: 5 })).size, 2);
  for (const options of [{ n: 1 }, { seed: new Uint8Array(32).fill(9) }]) {
    const { open, log } = setup();
    await assert.rejects(open(vector.grant, options), { name: "GrantError", fault: "otherkey" });
    assert.equal(log.length, 0);
  }
});

test("a slow proxy: a further one after 300 ms", async () => {
  const { open, log } = setup({ answers: { 0: (request, _, { sleep }) => sleep(5000).then(() => honest(2, 0, request)) } });
  assert.deepEqual(shown(await open()), vector.contentKeys);
  assert.equal(asked(log), "0@0 1@0 2@300");
});

test("a failing proxy: a further one at once, and it is named", async () => {
  for (const [answer, code] of [
    [() => Promise.reject(new TypeError("network")), "unreachable"],
    [() => problem(500, "broken"), "refused"],
    [() => problem(410, "revoked"), "revoked"],
    [() => problem(422, "not-granted"), "not-granted"],
    [() => new Response("<html>", { status: 200 }), "false-answer"],
    [(r) => Response.json({ ...r, cfrags: [] }), "false-answer"],
    [(r) => Response.json({ ...r, set: 1, cfrags: vector.answers[2][0] }), "false-answer"],
    [(r) => Response.json({ ...r, grant: "https://s.example/grants/x", cfrags: vector.answers[2][0] }), "false-answer"],
    [(r) => Response.json({ ...r, cfrags: [...vector.answers[2][0]].reverse() }), "false-answer"],
    [(r) => Response.json({ ...r, cfrags: [vector.answers[2][0][0], vector.answers[2][2][1]] }), "false-answer"],
    [(r) => Response.json({ ...r, cfrags: [vector.answers[2][0][0], 7] }), "false-answer"],
    [() => new Response(`{"x":"${"a".repeat(70_000)}"}`), "false-answer"],
  ]) {
    const { open, log, failures } = setup({ answers: { 0: answer } });
    assert.deepEqual(shown(await open()), vector.contentKeys, code);
    assert.equal(asked(log), "0@0 1@0 2@0", code);
    assert.deepEqual(failures.map((f) => [f.proxy.actor, f.code]), [["https://s.example/actor", code]]);
  }
});

test("cfrags of another set, or one key fragment at two proxies, do not count", async () => {
  for (const cfrags of [vector.answers[1][0], vector.answers[2][1]]) {
    const { open, log } = setup({ answers: { 0: (r) => Response.json({ ...r, cfrags }) } });
    assert.deepEqual(shown(await open()), vector.contentKeys);
    assert.deepEqual(log.map((l) => l.proxy), [0, 1, 2]);
  }
});

test("a key fragment that has not arrived: asked again every 2 s, three times", async () => {
  const gone = () => problem(404, "unknown-grant");
  const late = (request, tries) => (tries <= 2 ? gone() : honest(2, 1, request)); // the first two are sets 2 and 1
  let w = setup({ answers: { 0: gone, 1: late } });
  assert.deepEqual(shown(await w.open()), vector.contentKeys);
  assert.deepEqual(w.log.filter((l) => l.proxy === 1).map((l) => [l.at, l.set]), [[0, 2], [0, 1], [2000, 2]]);
  w = setup({ answers: { 0: gone, 1: gone, 2: gone } });
  await assert.rejects(w.open(), { fault: "proxies", values: { n: 0, needed: 2, hosts: "s.example, b.example, p.example" } });
  assert.deepEqual(w.log.filter((l) => l.proxy === 0 && l.set === 2).map((l) => l.at), [0, 2000, 4000, 6000]);
  assert.deepEqual(w.failures.map((f) => f.code), Array(3).fill("unknown-grant"));
});

test("the set before serves while the new one is on its way", async () => {
  const { open, log } = setup({ sets: ["1"] });
  assert.deepEqual(shown(await open()), vector.contentKeys);
  assert.ok(log.every((l) => l.at === 0));
});

test("a busy proxy is asked again when it said", async () => {
  const busy = (r, tries) => (tries === 1 ? problem(429, "busy", { "Retry-After": "3" }) : honest(2, 0, r));
  const down = () => problem(503, "down");
  const { open, log } = setup({ answers: { 0: busy, 2: down } });
  assert.deepEqual(shown(await open()), vector.contentKeys);
  assert.equal(asked(log.filter((l) => l.proxy === 0)), "0@0 0@3000");
});

test("a proxy that never answers is given up", async () => {
  const never = (_, __, { sleep }) => sleep(1e9);
  const down = () => problem(503, "down");
  const { open, failures } = setup({ answers: { 0: never, 1: down, 2: down } });
  await assert.rejects(open(), { fault: "proxies" });
  assert.deepEqual(failures.map((f) => f.code).sort(), ["refused", "refused", "unreachable"]);
});

test("each fault is told by its name", async () => {
  const all = (answer) => ({ answers: { 0: answer, 1: answer, 2: answer } });
  const liar = (r) => Response.json({ ...r, cfrags: vector.answers[2][0].toReversed() });
  for (const [config, fault, values] of [
    [all(() => Promise.reject(new TypeError("Failed to fetch"))), "offline", {}],
    [all(() => problem(410, "revoked")), "revoked", {}],
    [all(() => problem(403, "expired")), "expired", {}],
    [all(() => problem(401, "no-session")), "login", {}],
    [all(() => problem(401, "bad-signature")), "proxies", { n: 0, needed: 2, hosts: "s.example, b.example, p.example" }],
    [all(() => problem(403, "forbidden")), "proxies", { n: 0, needed: 2, hosts: "s.example, b.example, p.example" }],
    [all(liar), "badkey", { hosts: "s.example, b.example, p.example" }],
    [{ answers: { 0: () => problem(500, ""), 1: () => problem(500, "") } }, "proxies", { n: 1, needed: 2, hosts: "s.example, b.example" }],
  ]) {
    const { open } = setup(config);
    await assert.rejects(open(), (err) => {
      assert.equal(err.name, "GrantError");
      assert.deepEqual([err.fault, err.values], [fault, values]);
      return true;
    });
  }
});

// A device's memory of what proxies answered.
function memory() {
  const kept = new Map();
  const place = (grant, track, capsule) => `${grant} ${track} ${hex(capsule)}`;
  return {
    kept,
    recall: async (...at) => kept.get(place(...at)),
    keep: async (grant, track, capsule, cfrags) => void kept.set(place(grant, track, capsule), cfrags),
  };
}

test("a device that opened a track opens it again when too few proxies are left", async () => {
  const all = (answer) => ({ answers: { 0: answer, 1: answer, 2: answer } });
  const memo = memory();
  assert.deepEqual(shown(await setup().open(vector.grant, { memory: memo })), vector.contentKeys);
  assert.equal(memo.kept.size, 2);
  for (const cfrags of memo.kept.values()) assert.deepEqual(cfrags.map((c) => c.length), [359, 359]);
  for (const answer of [
    () => Promise.reject(new TypeError("Failed to fetch")), () => problem(502, "unreachable"), () => problem(404, "unknown-grant"),
    (_, __, { sleep }) => sleep(1e9),
  ]) {
    const { open } = setup(all(answer));
    assert.deepEqual(shown(await open(vector.grant, { memory: memo })), vector.contentKeys);
  }
  // A fresh device has nothing of it, and neither has another listener.
  await assert.rejects(setup(all(() => problem(502, "unreachable"))).open(vector.grant, { memory: memory() }), { fault: "proxies" });
  await assert.rejects(setup(all(() => problem(401, "no-session"))).open(vector.grant, { memory: memo }), { fault: "login" });
});

test("the proxies are asked first, and what was kept is not believed but checked", async () => {
  const down = { answers: { 0: () => problem(502, ""), 1: () => problem(502, ""), 2: () => problem(502, "") } };
  const memo = memory();
  await setup().open(vector.grant, { memory: memo });
  const { open, log } = setup();
  await open(vector.grant, { memory: memo });
  assert.equal(asked(log), "0@0 1@0");
  for (const [key, cfrags] of memo.kept) {
    const bad = cfrags.map((c) => c.slice());
    bad[1][40] ^= 1;
    memo.kept.set(key, bad);
    await assert.rejects(setup(down).open(vector.grant, { memory: memo }), { fault: "proxies" });
    memo.kept.set(key, cfrags);
  }
  // Another grant of the same track was opened by other fragments.
  const other = signed((o) => (o.id = "https://s.example/grants/bbbbbbbbbbbbbbbbbbbbbbbbbb"));
  await assert.rejects(setup(down).open(JSON.stringify(other), { memory: memo }), { fault: "proxies" });
});

test("nothing is kept of a grant that ends", async () => {
  const memo = memory();
  const ends = signed((o) => (o.endTime = "2026-12-20T12:00:00Z"));
  assert.equal((await setup().open(JSON.stringify(ends), { memory: memo })).size, 2);
  assert.equal(memo.kept.size, 0);
});

test("what opens must be the key that the artist signed", async () => {
  const other = signed((o) => (o.items[0].contentKeyHash = o.items[1].contentKeyHash));
  await assert.rejects(setup().open(other), { fault: "badkey", values: { hosts: "s.example" } });
  const swapped = signed((o) => (o.items[0].ciphertext = o.items[1].ciphertext));
  await assert.rejects(setup().open(swapped), { fault: "badkey" });
  const low = signed((o) => (o.threshold = 1));
  await assert.rejects(setup().open(low), { fault: "badkey" });
  const capsule = signed((o) => (o.items[0].capsule = "B" + o.items[0].capsule.slice(1)));
  await assert.rejects(setup().open(capsule), { fault: "proof" });
});

test("a grant is refused unless its form and proof are right", async () => {
  const read = (g, keys = vector.keys, at = now) => m.readGrant(g, keys, at);
  assert.equal(read(vector.grant).threshold, 2);
  assert.equal(read(signed((o) => delete o.context)).set, 2);
  assert.equal(read(signed((o) => (o.endTime = "2027-01-01T00:00:00Z"))).set, 2);
  const edited = (change) => {
    const g = structuredClone(grant);
    change(g, g.proof);
    return g;
  };
  const [method, key] = Object.entries(vector.keys)[0];
  const bad = {
    "another buyer": edited((g) => (g.to = "https://b.example/users/eve")),
    "another proxy": edited((g) => (g.proxies[0].reencrypt = "https://evil.example/")),
    "no proof": edited((g) => delete g.proof),
    "two proofs": edited((g) => (g.proof = [g.proof, g.proof])),
    "extra member of the proof": signed((_, p) => (p.domain = "x")),
    "other suite": signed((_, p) => (p.cryptosuite = "eddsa-rdfc-2022")),
    "other purpose": signed((_, p) => (p.proofPurpose = "authentication")),
    "other type of proof": signed((_, p) => (p.type = "Ed25519Signature2020")),
    "from the future": signed((_, p) => (p.created = "2026-11-20T13:05:01Z")),
    "created nowhere": signed((_, p) => (p.created = "2026-11-31T12:00:02Z")),
    "created with an offset": signed((_, p) => (p.created = "2026-11-20T12:00:02+00:00")),
    "key on another host": signed((_, p) => (p.verificationMethod = "https://evil.example/users/ada#ed25519-1")),
    "key that nobody knows": signed((_, p) => (p.verificationMethod = method + "0")),
    "key by a name of objects": signed((_, p) => (p.verificationMethod = "toString")),
    "signature in base64": edited((_, p) => (p.proofValue = "u" + "A".repeat(86))),
    "signature too long": edited((_, p) => (p.proofValue = "z" + "1".repeat(200))),
    "context that redefines": signed((o, p) => {
      o["@context"][2].threshold = "urn:x";
      p["@context"] = o["@context"];
    }),
    "context of the proof differs": signed((_, p) => (p["@context"] = "https://www.w3.org/ns/activitystreams")),
    "unknown term": signed((o) => (o.discount = 1)),
    "unknown term in an item": signed((o) => (o.items[0].name = "x")),
    "missing term": signed((o) => delete o.endTime),
    "another kind": signed((o) => (o.type = ["Receipt", "Document"])),
    "type as text": signed((o) => (o.type = "AccessGrant")),
    "another scheme": signed((o) => (o.scheme = "umbral-secp256k1-v2")),
    "threshold 0": signed((o) => (o.threshold = 0)),
    "threshold above the proxies": signed((o) => (o.threshold = 4)),
    "set 0": signed((o) => (o.set = 0)),
    "no proxies": signed((o) => (o.proxies = [])),
    "a proxy twice": signed((o) => (o.proxies[1].actor = o.proxies[0].actor)),
    "too many proxies": signed((o) => (o.proxies = Array.from({ length: 17 }, (_, i) => ({ actor: `https://p${i}.example/`, reencrypt: "https://p.example/" })))),
    "no items": signed((o) => (o.items = [])),
    "a track twice": signed((o) => (o.items[1].track = o.items[0].track)),
    "a track of somebody else": signed((o) => (o.items[0].track = "https://e.example/tracks/1")),
    "a receipt of somebody else": signed((o) => (o.receipt = "https://e.example/receipts/1")),
    "id on another host": signed((o) => (o.id = "https://e.example/grants/1")),
    "proxy without TLS or HTTP": signed((o) => (o.proxies[0].reencrypt = "javascript:alert(1)")),
    "one key in two roles": signed((o) => (o.delegatingKey = o.verifyingKey)),
    "receiving key delegates": signed((o) => (o.receivingKey = o.delegatingKey)),
    "Ed25519 key receives": signed((o) => (o.receivingKey = o.requestingKey)),
    "short ciphertext": signed((o) => (o.items[0].ciphertext = o.items[0].ciphertext.slice(4))),
    "manifest is a path": signed((o) => (o.items[0].manifest = "../" + "a".repeat(56))),
    "time without zone": signed((o) => (o.startTime = "2026-11-20T12:00:02")),
    "a name twice": vector.grant.replace('"set":2', '"set":2,"set":2'),
    "a fraction": vector.grant.replace('"set":2', '"set":2.0'),
    "an array": `[${vector.grant}]`,
    "nothing": "",
  };
  for (const [name, g] of Object.entries(bad)) {
    assert.throws(() => read(g), (err) => err instanceof m.GrantError && err.fault === "proof", name);
  }
  assert.throws(() => read(vector.grant, { [method]: m.encodeMultikey("ed25519", new Uint8Array(32).fill(5)) }), { fault: "proof" });
  assert.throws(() => read(vector.grant, { [method]: key.slice(1) }), { fault: "proof" });
  assert.throws(() => read(vector.grant, {}), { fault: "proof" });
});

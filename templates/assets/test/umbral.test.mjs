// The receiver's side and the key tree against the vectors that the server's media/pre replays
// (made with @nucypher/umbral-pre 0.10.0).
import { test } from "node:test";
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { readFile } from "node:fs/promises";
import { load } from "./bundle.mjs";

const m = await load("umbral.ts", "keytree.ts", "secp.ts");
const vectors = JSON.parse(await readFile(new URL("../../../media/pre/testdata/umbral.json", import.meta.url), "utf8"));
const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (b) => Buffer.from(b).toString("hex");

// The vectors' negatives are in MessagePack, which the browser never sees: strip its headers, strictly.
function simple(packed, ...layout) {
  let rest = bytes(packed);
  const out = [];
  for (const size of layout) {
    const header = size < 0 ? [0x90 | -size] : [0xc4, size];
    for (const [i, b] of header.entries()) if (rest[i] !== b) throw new m.UmbralError("encoding", "header");
    if (size > 0) out.push(...rest.subarray(2, 2 + size));
    rest = rest.subarray(header.length + Math.max(0, size));
  }
  if (rest.length) throw new m.UmbralError("encoding", "trailing");
  return Uint8Array.from(out);
}
const simpleCapsule = (p) => simple(p, -3, 33, 33, 32);
const simpleCfrag = (p) => simple(p, -5, 33, 33, 32, 33, -6, 33, 33, 33, 33, 32, 64);

const keysOf = (c) => ({
  verifying: m.PublicKey.decode(bytes(c.verifying_pk)),
  delegating: m.PublicKey.decode(bytes(c.delegating_pk)),
  receiving: m.PublicKey.decode(bytes(c.receiving_pk)),
});

test("the parameter point is derived from its label", async () => {
  const { secp256k1_hasher } = await import("@noble/curves/secp256k1.js");
  const ascii = (s) => new TextEncoder().encode(s);
  const u = secp256k1_hasher.hashToCurve(ascii("POINT_U"), { DST: ascii("PARAMETERS") });
  assert.equal(hex(u.toBytes(true)), "03" + m.parameterX);
  assert.equal(vectors.params.u_compressed, "03" + m.parameterX);
});

test("all cases open", () => {
  assert.equal(vectors.cases.length, 20);
  for (const c of vectors.cases) {
    const keys = keysOf(c);
    const receiving = m.SecretKey.decode(bytes(c.receiving_sk));
    assert.equal(hex(receiving.publicKey.bytes), c.receiving_pk);
    const capsule = m.Capsule.decode(bytes(c.capsule_simple));
    const cfrags = c.cfrags_simple.map((enc, i) => {
      assert.deepEqual(simpleCfrag(c.cfrags_msgpack[i]), bytes(enc));
      return m.CapsuleFrag.decode(bytes(enc)).verify(capsule, keys);
    });
    const opening = { receiving, delegating: keys.delegating, capsule, ciphertext: bytes(c.ciphertext) };
    for (const use of [c.decrypt_with.map((i) => cfrags[i]), cfrags]) {
      assert.equal(hex(m.open({ ...opening, cfrags: use })), c.decrypted, c.name);
    }
    if (c.threshold > 1) {
      assert.throws(() => m.open({ ...opening, cfrags: cfrags.slice(0, c.threshold - 1) }), { failure: "open" });
    }
    assert.throws(() => m.open({ ...opening, cfrags: [] }), { failure: "fragments" });
    assert.throws(() => m.open({ ...opening, cfrags: [cfrags[0], cfrags[0]] }), { failure: "fragments" });
  }
});

test("the key tree", () => {
  assert.equal(vectors.key_factory.length, 4);
  for (const v of vectors.key_factory) {
    const factory = new m.Factory(bytes(v.seed));
    const label = bytes(v.label);
    assert.equal(hex(factory.makeSecret(label)), v.make_secret);
    assert.equal(hex(factory.makeKey(label).bytes()), v.make_key);
    assert.equal(hex(factory.makeFactory(label).makeKey(label).bytes()), v.make_factory_then_make_key_same_label);
  }
  const seed = new Uint8Array(32).fill(7);
  const ascii = (s) => new TextEncoder().encode(s);
  const [listener, root] = [new m.Listener(seed), new m.Factory(seed)];
  assert.deepEqual(listener.receiving(2).bytes(), root.makeKey(ascii("receiving/2")).bytes());
  const requesting = new m.RequestingKey(root.makeSecret(ascii("requesting/12")).subarray(0, 32));
  assert.deepEqual(listener.requesting(12).publicKey, requesting.publicKey);
  for (const n of [0, -1, 1.5, NaN]) assert.throws(() => listener.receiving(n), RangeError);
  assert.throws(() => new m.Listener(new Uint8Array(31)), RangeError);
});

test("signatures", () => {
  for (const v of vectors.signatures) {
    const key = m.PublicKey.decode(bytes(v.pk));
    assert.equal(key.verify(bytes(v.message), bytes(v.rs)), true);
    assert.equal(key.verify(bytes(v.message + "00"), bytes(v.rs)), false);
  }
});

const operations = {
  capsule_decode: (n) => m.Capsule.decode(simpleCapsule(n.capsule_msgpack)),
  cfrag_verify(n) {
    const cfrag = m.CapsuleFrag.decode(simpleCfrag(n.cfrag_msgpack));
    cfrag.verify(m.Capsule.decode(simpleCapsule(n.capsule_msgpack)), keysOf(n));
  },
  decrypt_reencrypted(n) {
    const c = vectors.cases.find((each) => each.name === n.case);
    const capsule = m.Capsule.decode(simpleCapsule(n.capsule_msgpack));
    // What such a vector tests is the opening, so its cfrags are verified against what they were made for, whichever
    // case and capsule that is.
    const cfrags = n.cfrags_msgpack.map((enc) => verifyAnywhere(simpleCfrag(enc), c, capsule));
    m.open({
      receiving: m.SecretKey.decode(bytes(n.receiving_sk)), delegating: m.PublicKey.decode(bytes(n.delegating_pk)),
      capsule, cfrags, ciphertext: bytes(n.ciphertext),
    });
  },
  sk_decode: (n) => m.SecretKey.decode(bytes(n.sk)),
  pk_decode: (n) => m.PublicKey.decode(bytes(n.pk)),
  sig_verify(n) {
    if (!m.PublicKey.decode(bytes(n.pk)).verify(bytes(n.message), bytes(n.rs))) throw new m.UmbralError("signature", "no");
  },
};

function verifyAnywhere(enc, first, capsule) {
  for (const c of [first, ...vectors.cases]) {
    for (const of of [capsule, m.Capsule.decode(bytes(c.capsule_simple))]) {
      try {
        return m.CapsuleFrag.decode(enc).verify(of, keysOf(c));
      } catch (err) {
        if (!["signature", "proof"].includes(err.failure)) throw err;
      }
    }
  }
  throw new Error("the vector's cfrag belongs to no case");
}

test("all negatives of a receiver are refused", () => {
  assert.equal(vectors.negative.length, 53);
  const left = new Map();
  for (const n of vectors.negative) {
    if (!operations[n.op]) {
      left.set(n.op, (left.get(n.op) ?? 0) + 1);
      continue;
    }
    assert.throws(() => operations[n.op](n), (err) => err instanceof m.UmbralError, `${n.op}: ${n.name}`);
  }
  // Proxies check kfrags and owners open originals; a receiver does neither.
  assert.deepEqual(Object.fromEntries(left), { kfrag_verify: 13, decrypt_original: 1 });
});

test("no changed byte passes", () => {
  const c = vectors.cases[3];
  const keys = keysOf(c);
  const capsule = m.Capsule.decode(bytes(c.capsule_simple));
  for (let i = 0; i < m.capsuleSize; i += 3) {
    const changed = bytes(c.capsule_simple);
    changed[i] ^= 1;
    assert.throws(() => m.Capsule.decode(changed), m.UmbralError, `capsule byte ${i}`);
  }
  for (let i = 0; i < m.capsuleFragSize; i += 5) {
    const changed = bytes(c.cfrags_simple[0]);
    changed[i] ^= 1;
    assert.throws(() => m.CapsuleFrag.decode(changed).verify(capsule, keys), m.UmbralError, `cfrag byte ${i}`);
  }
  for (const roles of [
    { ...keys, verifying: keys.delegating }, { ...keys, receiving: keys.verifying }, { ...keys, receiving: keys.delegating },
    { ...keys, receiving: m.PublicKey.decode(bytes("03" + m.parameterX)) },
    { ...keys, receiving: m.PublicKey.decode(m.encodePoint(m.G)) },
  ]) assert.throws(() => m.checkKeys(roles), { failure: "keys" });
});

test("secret keys do not show", () => {
  const seed = new Uint8Array(32).fill(0xab);
  const number = BigInt("0x" + "ab".repeat(32)).toString();
  for (const secret of [m.SecretKey.decode(seed), new m.Factory(seed), new m.Listener(seed), new m.RequestingKey(seed)]) {
    const shown = inspect(secret, { depth: 9, showHidden: true, breakLength: Infinity });
    assert.ok(!shown.includes(number) && !shown.includes("171, 171"), shown);
  }
});

import { test } from "node:test";
import assert from "node:assert/strict";
import { load } from "./bundle.mjs";

const m = await load("multikey.ts");

test("base64url is the one form", () => {
  for (let n = 0; n < 70; n++) {
    const b = Uint8Array.from({ length: n }, (_, i) => (i * 151 + n * 7) & 0xff);
    const text = m.encodeBase64url(b);
    assert.equal(text, Buffer.from(b).toString("base64url"));
    assert.deepEqual(m.decodeBase64url(text), b);
  }
  for (const bad of ["A", "AA==", "AB", "AAB", "A A", "AA\n", "A+", "A/", "Aé"]) {
    assert.throws(() => m.decodeBase64url(bad), RangeError, bad);
  }
});

test("base58btc", () => {
  // the examples of draft-msporny-base58
  for (const [text, want] of [
    ["Hello World!", "2NEpo7TZRRrLZSi2U"],
    ["The quick brown fox jumps over the lazy dog.", "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z"],
  ]) {
    assert.equal(m.encodeBase58(new TextEncoder().encode(text)), want);
    assert.equal(new TextDecoder().decode(m.decodeBase58(want)), text);
  }
  assert.equal(m.encodeBase58(Uint8Array.of(0, 0, 0x28, 0x7f, 0xb4, 0xcd)), "11233QC4");
  assert.deepEqual(m.decodeBase58("11233QC4"), Uint8Array.of(0, 0, 0x28, 0x7f, 0xb4, 0xcd));
  assert.deepEqual(m.decodeBase58("1"), Uint8Array.of(0));
  for (const bad of ["0", "O", "I", "l", "a b", "1".repeat(129)]) assert.throws(() => m.decodeBase58(bad), RangeError);
});

test("Multikey", () => {
  const secp = Uint8Array.from({ length: 33 }, (_, i) => i || 2);
  const ed = Uint8Array.from({ length: 32 }, (_, i) => i);
  assert.match(m.encodeMultikey("secp256k1", secp), /^zQ3s/);
  assert.match(m.encodeMultikey("ed25519", ed), /^z6Mk/);
  assert.deepEqual(m.decodeMultikey("secp256k1", m.encodeMultikey("secp256k1", secp)), secp);
  assert.deepEqual(m.decodeMultikey("ed25519", m.encodeMultikey("ed25519", ed)), ed);
  assert.throws(() => m.decodeMultikey("ed25519", m.encodeMultikey("secp256k1", secp)), RangeError);
  assert.throws(() => m.decodeMultikey("ed25519", m.encodeMultikey("ed25519", ed).slice(1)), RangeError);
  assert.throws(() => m.decodeMultikey("ed25519", "z"), RangeError);
  assert.throws(() => m.encodeMultikey("ed25519", secp), RangeError);
});

// What a listener's key signs, frozen: federation/trade reads the same file and checks it with the server's own code.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { load } from "./bundle.mjs";

const m = await load("signing", "keytree", "keys", "json", "proof");
const file = new URL("testdata/signed.json", import.meta.url);

test("statements are signed as the server reads them", async () => {
  const seed = Uint8Array.from({ length: 32 }, (_, i) => i);
  const actor = "https://b.example/users/lin";
  const now = new Date("2026-11-20T12:00:00Z");
  const key = new m.Listener(seed).requesting(1);
  const to = m.publicKeys(seed, 2);
  const item = { receipt: "https://s.example/receipts/1", product: "https://s.example/products/9" };
  const made = {
    link: JSON.parse(m.signLink(actor, 1, key, to, now)),
    agreement: JSON.parse(m.signAgain(actor, 1, key, item, to, new Uint8Array(16).fill(7), now)),
  };
  if (process.env.UPDATE) await writeFile(file, JSON.stringify(made, null, 1) + "\n");
  assert.deepEqual(made, JSON.parse(await readFile(file, "utf8")));
  const keys = { [m.requestingMethod(actor, 1)]: m.publicKeys(seed, 1).requesting };
  m.verifyProof(m.parseSigned(JSON.stringify(made.agreement)), m.agreementContext(), keys, now);
  assert.throws(() => m.verifyProof(m.parseSigned(JSON.stringify({ ...made.agreement, receipt: item.receipt + "1" })), m.agreementContext(), keys, now));
});

// Times five operations of @nucypher/umbral-pre on a 2-of-3 grant of 32 bytes, and prints {name: microseconds} as JSON.
// Fragments are read from their bytes, as they come from the wire.
import * as umbral from "@nucypher/umbral-pre";

const millis = Number(process.argv[2] ?? 300);
const [a, b, s] = [0, 1, 2].map(() => umbral.SecretKey.random());
const [A, B, VK] = [a, b, s].map((key) => key.publicKey());
const signer = new umbral.Signer(s);
const plaintext = new Uint8Array(32);

const [capsule, ciphertext] = umbral.encrypt(A, plaintext);
const kfrags = umbral.generateKFrags(a, B, signer, 2, 3, true, true);
const kfragBytes = kfrags[0].toBytes();
const cfrags = kfrags.slice(0, 2).map((kfrag) => umbral.reencrypt(capsule, kfrag));
const cfragBytes = cfrags[0].toBytes();

const operations = {
  "encrypt": () => umbral.encrypt(A, plaintext),
  "generate-kfrags": () => umbral.generateKFrags(a, B, signer, 2, 3, true, true),
  "verify-reencrypt": () => umbral.reencrypt(capsule, umbral.KeyFrag.fromBytes(kfragBytes).verify(VK, A, B)),
  "verify-cfrag": () => umbral.CapsuleFrag.fromBytes(cfragBytes).verify(capsule, VK, A, B),
  "decrypt-reencrypted": () => umbral.decryptReencrypted(b, A, capsule, cfrags, ciphertext),
};

const micros = {};
for (const [name, run] of Object.entries(operations)) {
  repeat(run, millis / 3); // let the engine optimize
  micros[name] = repeat(run, millis);
}
console.log(JSON.stringify(micros));

function repeat(run, millis) {
  const start = process.hrtime.bigint();
  const end = start + BigInt(Math.round(millis * 1e6));
  let n = 0;
  let now = start;
  for (; now < end; now = process.hrtime.bigint(), n++) run();
  return Number(now - start) / n / 1000;
}

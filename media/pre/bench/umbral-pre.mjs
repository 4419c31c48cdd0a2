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

// The mean microseconds of processor time that run takes.
function repeat(run, millis) {
  const begin = used();
  for (let n = 1; ; n++) {
    run();
    const spent = used() - begin;
    if (spent >= millis * 1000) return spent / n;
  }
}

function used() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

// The parts that need no page: words, codes, keys from passphrases, recovery keys, playlists, blocks.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";
import { load } from "./bundle.mjs";

const m = await load("sealed", "filename", "bytes", "crypt", "recovery", "strength", "words", "playlist", "cid", "loader", "order", "keys");
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const actor = "https://a.example/users/ada";

test("base32 is RFC 4648's", () => {
  for (const [plain, text] of [["", ""], ["f", "MY"], ["fo", "MZXQ"], ["foo", "MZXW6"], ["foob", "MZXW6YQ"], ["fooba", "MZXW6YTB"], ["foobar", "MZXW6YTBOI"]]) {
    assert.equal(m.base32(Buffer.from(plain)), text);
    assert.equal(Buffer.from(m.unbase32(text.toLowerCase())).toString(), plain);
  }
  for (const bad of ["A", "MZ0Q", "MZ", "MZXW7", "MZXQAAAA".slice(0, 6)]) assert.throws(() => m.unbase32(bad), bad);
});

test("the halves of a passphrase are what the contract says", async () => {
  const { pbkdf2Sync, hkdfSync } = await import("node:crypto");
  const { auth, wrap } = await m.halves("Zitronen\u0308falter im Regen", actor);
  const salt = createHash("sha256").update("antiphon/login/v1" + actor).digest();
  const stretched = pbkdf2Sync("Zitronen\u0308falter im Regen".normalize("NFKC"), salt, 600_000, 32, "sha256");
  const half = (info) => hex(new Uint8Array(hkdfSync("sha256", stretched, Buffer.alloc(0), info, 32)));
  assert.equal(hex(auth), half("antiphon/auth/v1"));
  assert.equal(hex(wrap), half("antiphon/wrap/v1"));
  assert.notEqual(hex(auth), hex(wrap));
});

test("a wrapped seed opens for its account and version only", () => {
  const key = new Uint8Array(32).fill(7);
  const seed = Uint8Array.from({ length: 32 }, (_, i) => i);
  const wrapped = m.wrapSeed(key, seed, actor, 2, new Uint8Array(24).fill(9));
  // Frozen, and the same from golang.org/x/crypto/chacha20poly1305: a change here locks everybody out.
  assert.equal(wrapped, "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJvnPgiXivf2X8GwI3ZH4J5DripYlUdIv2vpQCR887TUQcJ8BxC7Dco51-lj8ZfdDZ");
  assert.equal(hex(m.unwrapSeed(key, wrapped, actor, 2)), hex(seed));
  assert.throws(() => m.unwrapSeed(key, wrapped, actor, 1));
  assert.throws(() => m.unwrapSeed(key, wrapped, actor + "x", 2));
  assert.throws(() => m.unwrapSeed(new Uint8Array(32), wrapped, actor, 2));
  assert.throws(() => m.unwrapSeed(key, wrapped.slice(0, -4), actor, 2));
  assert.throws(() => m.wrapSeed(key, seed, actor, 0));
  assert.notEqual(m.wrapSeed(key, seed, actor, 1), m.wrapSeed(key, seed, actor, 1));
});

test("a recovery key is taken as it was written, in any dress", async () => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => 255 - i * 3);
  const groups = await m.recoveryGroups(key);
  assert.equal(groups.length, 14);
  assert.ok(groups.every((g) => /^[A-Z2-7]{4}$/.test(g)));
  for (const typed of [groups.join(" "), groups.join("").toLowerCase(), groups.join("-\n"), groups.join(" ").replaceAll("O", "0").replaceAll("I", "1").replaceAll("B", "8")]) {
    assert.equal(hex(await m.parseRecovery(typed)), hex(key));
  }
});

test("a mistyped recovery key says what is wrong", async () => {
  const groups = await m.recoveryGroups(new Uint8Array(32).fill(0x5a));
  const text = groups.join("");
  const fault = (typed) => m.parseRecovery(typed).then(() => "taken", (e) => e.fault);
  assert.equal(await fault(text.slice(4)), "length");
  assert.equal(await fault(text + "AAAA"), "length");
  assert.equal(await fault(text.slice(0, -1) + "9"), "letters");
  for (let i = 0; i < text.length; i++) {
    const wrong = text.slice(0, i) + (text[i] === "A" ? "C" : "A") + text.slice(i + 1);
    assert.equal(await fault(wrong), "checksum", `letter ${i}`);
  }
});

test("two different groups are asked for, in order", () => {
  for (let a = 0; a < 14; a++) {
    for (let b = 0; b < 13; b++) {
      const draws = [a, b];
      const [x, y] = m.askedGroups((below) => draws.shift() % below);
      assert.ok(0 <= x && x < y && y < 14, `${a} ${b}: ${x} ${y}`);
    }
  }
});

test("strength grows with what is hard to guess", () => {
  for (const [text, at] of [["", 0], ["aaaaaaaaaaaa", 1], ["password123", 1], ["abcdefghijkl", 1], ["adaadaada12", 1], ["short", 1], ["Tr0ub4dor&3", 3], ["x7#Kq9!mVw2Lz_B", 4], ["lantern copper otter", 2], ["lantern copper otter ninety violin", 3], ["lantern copper otter ninety violin rain", 4]]) {
    assert.equal(m.level(text, ["ada"]), at, `${text}: ${m.bits(text, ["ada"])}`);
  }
});

test("numbers keep every digit", () => {
  assert.equal(m.localNumber("12345678901234567890.123456789012345678", "en"), "12,345,678,901,234,567,890.123456789012345678");
  assert.equal(m.localNumber("1234.50", "de"), "1.234,50");
  assert.equal(m.localNumber("1e9", "en"), "1e9");
});

test("lengths read as clocks", () => {
  for (const [s, text] of [[0, "0:00"], [59.9, "0:59"], [61, "1:01"], [3729, "1:02:09"], [NaN, "0:00"], [-3, "0:00"]]) assert.equal(m.clock(s), text);
});

test("the first blocks of a playlist are found", () => {
  const c = (n) => "b" + "a".repeat(57) + n;
  const master = `#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-STREAM-INF:BANDWIDTH=70000,AVERAGE-BANDWIDTH=66000,CODECS="mp4a.40.2"\n${c("a")}\n#EXT-X-STREAM-INF:BANDWIDTH=140000,AVERAGE-BANDWIDTH=132000,CODECS="mp4a.40.2"\n${c("b")}\n#EXT-X-STREAM-INF:BANDWIDTH=1200000,CODECS="fLaC"\r\n${c("c")}\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttps://evil.example/x\n`;
  assert.deepEqual(m.renditionsOf(master), [{ name: "aac64", cid: c("a") }, { name: "aac128", cid: c("b") }, { name: "flac", cid: c("c") }]);
  const media = `#EXTM3U\n#EXT-X-MAP:URI="${c("d")}"\n#EXT-X-KEY:METHOD=AES-128,URI="key://antiphon/aac64",IV=0x00\n#EXTINF:6,\n${c("e")}\n#EXTINF:6,\n${c("f")}\n#EXTINF:6,\n${c("g")}\n`;
  assert.deepEqual(m.firstBlocks(media), [c("d"), c("e"), c("f")]);
});

test("renditions of quiet music go by their order", () => {
  const level = (bits, codecs = "mp4a.40.2") => ({ codecs, bits });
  assert.deepEqual(m.renditionNames([level(30_000), level(900_000, "fLaC"), level(52_000), level(41_000)]), ["aac64", "flac", "aac256", "aac128"]);
  assert.deepEqual(m.renditionNames([level(131_000), level(260_000)]), ["aac128", "aac256"]);
});

test("a playlist can name keys and blocks, nothing else", () => {
  const cid = "b" + "a".repeat(58);
  const origin = "https://a.example";
  assert.deepEqual(m.nameOf("key://antiphon/aac128", origin), { rendition: "aac128" });
  assert.deepEqual(m.nameOf(`${origin}/ipfs/${cid}`, origin), { cid });
  for (const bad of ["key://other/aac128", "key://antiphon/", "key://antiphon/../x", `https://a.example.evil/ipfs/${cid}`, `https://b.example/ipfs/${cid}`, `${origin}/ipfs/${cid}?x`, `${origin}/ipfs/${cid}/y`, `${origin}/login`, "data:,x"]) {
    assert.throws(() => m.nameOf(bad, origin), bad);
  }
});

const cidOf = (bytes) => "b" + m.base32(Buffer.concat([Buffer.from([1, 0x55, 0x12, 32]), createHash("sha256").update(bytes).digest()])).toLowerCase();

test("a block is what its CID says or it is refused", async () => {
  // The CID of "hello\n" as every IPFS tool gives it with --cid-version 1 and raw leaves.
  assert.equal(cidOf("hello\n"), "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am");
  assert.ok(await m.isBlock("bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am", Buffer.from("hello\n")));
  assert.ok(!(await m.isBlock("bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am", Buffer.from("hello"))));
  for (const bad of ["", "Qm", "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi", "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6a", "BAFKREICYSG23KIWV34EG2D7QWEIPXWOSDO2PY4LDV42NBAUGULUEN5V6AM"]) {
    assert.throws(() => m.digestOf(bad), bad);
  }
});

test("a damaged answer is asked for once more, past the cache", async (t) => {
  const good = Buffer.from("sealed");
  const cid = cidOf(good);
  const asked = [];
  const answers = [];
  t.mock.method(globalThis, "fetch", async (url, init) => {
    asked.push([url, init.cache]);
    const body = answers.shift();
    if (body instanceof Error) throw body;
    return typeof body === "number" ? new Response("", { status: body }) : new Response(body);
  });
  answers.push("tampered", good);
  assert.equal(Buffer.from(await m.fetchBlock(cid)).toString(), "sealed");
  assert.deepEqual(asked, [[`/ipfs/${cid}`, "default"], [`/ipfs/${cid}`, "reload"]]);
  answers.push("tampered", "tampered");
  await assert.rejects(m.fetchBlock(cid), (e) => e.fault === "damaged");
  answers.push(404);
  await assert.rejects(m.fetchBlock(cid), (e) => e.fault === "gone");
  answers.push(401);
  await assert.rejects(m.fetchBlock(cid), (e) => e.fault === "login");
  answers.push(new TypeError("network"));
  await assert.rejects(m.fetchBlock(cid), (e) => e.fault === "offline");
});

test("the larder asks once and gives copies", async () => {
  let asked = 0;
  const larder = new m.Larder(2, async () => (asked++, new ArrayBuffer(3)));
  await larder.want("a");
  const one = await larder.take("a");
  const two = await larder.take("a");
  assert.equal(asked, 1);
  assert.notEqual(one, two);
  larder.want("b"), larder.want("c");
  await larder.take("a");
  assert.equal(asked, 4, "the oldest was let go");
});

test("an order is asked after briskly at first and calmly later", () => {
  assert.equal(m.pause("asking", 1, 0), 250);
  assert.equal(m.pause("waiting", 1, 0), 300);
  assert.equal(m.pause("waiting", 500, 0), 10_000);
  assert.equal(m.pause("paid", 1, 9), 30_000);
});

test("the key pair of a receiving key is found again", () => {
  const seed = new Uint8Array(32).fill(3);
  const third = m.publicKeys(seed, 3);
  assert.match(third.receiving, /^zQ3s/);
  assert.match(third.requesting, /^z6Mk/);
  assert.equal(m.generationOf(seed, third.receiving), 3);
  assert.equal(m.generationOf(new Uint8Array(32), third.receiving), 0);
});

test("every text that a module says is there, and every text there is said", async () => {
  const assets = new URL("../", import.meta.url);
  const { browser } = JSON.parse(await readFile(new URL("../texts/en.json", assets), "utf8"));
  const said = new Set();
  const begun = [];
  for (const name of await readdir(assets)) {
    if (!name.endsWith(".ts")) continue;
    const source = await readFile(new URL(name, assets), "utf8");
    for (const [, key] of source.matchAll(/"([a-z]+(?:\.[a-z0-9]+)+)"/g)) if (key in browser || new RegExp(`say\\([^)]*"${key}"`).test(source)) said.add(key);
    for (const [, start] of source.matchAll(/`([a-z]+(?:\.[a-z0-9]+)*\.)\$\{/g)) begun.push(start);
  }
  for (const key of said) assert.ok(key in browser, `no text for ${key}`);
  const idle = Object.keys(browser).filter((key) => !said.has(key) && !begun.some((s) => key.startsWith(s)));
  assert.deepEqual(idle, [], "never said");
});

// What Go's media/seal makes of the content key 00 01 02 …, a zero salt, and the track below.
const sealedTrack = "https://s.example/tracks/1";
async function opened(sealed, step, { track = sealedTrack, format = "flac" } = {}) {
  const key = await m.downloadKey(Uint8Array.from({ length: 32 }, (_, i) => i), format);
  const parts = async function* () {
    for (let at = 0; at < sealed.length; at += step) yield sealed.subarray(at, at + step);
  };
  const clear = [];
  for await (const part of m.openSealed(parts(), key, m.downloadContext(track, format))) clear.push(part);
  return Buffer.concat(clear);
}

test("a sealed file opens as it arrives, and in no other way", async () => {
  const { createCipheriv, hkdfSync } = await import("node:crypto");
  const short = Buffer.from("AAAAAAAAAAAAAAAAAAAAAHKY8Iu1PXXwsZ9sVXhFylTUk_0F3toLWQ", "base64url");
  for (const step of [1, 7, 100]) assert.equal((await opened(short, step)).toString(), "antiphon");

  // Two chunks, made here: a full one and a last one of ten bytes.
  const plain = Buffer.from(Uint8Array.from({ length: 65_546 }, (_, i) => i * 7));
  const content = Uint8Array.from({ length: 32 }, (_, i) => i);
  const fileKey = hkdfSync("sha256", content, Buffer.alloc(0), "dl/flac", 32);
  const key = Buffer.from(hkdfSync("sha256", new Uint8Array(fileKey), Buffer.alloc(16), "antiphon/file/v1", 32));
  const seal = (chunk, number, last) => {
    const nonce = Buffer.alloc(12);
    nonce[10] = number;
    nonce[11] = last;
    const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
    cipher.setAAD(Buffer.from(`${sealedTrack}\nflac`), { plaintextLength: chunk.length });
    return Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()]);
  };
  const long = Buffer.concat([Buffer.alloc(16), seal(plain.subarray(0, 65_536), 0, 0), seal(plain.subarray(65_536), 1, 1)]);
  // The end of what Go makes of the same.
  assert.equal(long.toString("base64url").slice(-40), "94P_IEb0P-a19slYlLHAkni5Zf-6DycNK58lZ2GI");
  for (const step of [1000, 65_552, 65_568, long.length]) assert.ok((await opened(long, step)).equals(plain), step);

  const broken = (bytes, options) => assert.rejects(opened(bytes, 4096, options), (e) => e.fault === "damaged");
  await broken(long.subarray(0, 16 + 65_552)); // cut off where a chunk ends
  await broken(long.subarray(0, 9));
  await broken(long, { track: sealedTrack + "2" });
  await broken(long, { format: "mp3" });
  for (const at of [0, 20, 65_560, long.length - 1]) {
    const altered = Buffer.from(long);
    altered[at] ^= 1;
    await broken(altered);
  }
});

test("names of files are safe everywhere", () => {
  for (const [artist, title, want] of [
    ["Ada", "Brass Rain", "Ada - Brass Rain.flac"],
    ["../../etc", "/passwd", "-..-etc - -passwd.flac"],
    ["CON", "nul", "Unknown artist - Untitled.flac"],
    ["", "...", "Unknown artist - Untitled.flac"],
    ["A\u0000B", "exe\u202egnp", "AB - exegnp.flac"],
    ["x".repeat(300), "y", "x".repeat(120) + " - y.flac"],
  ]) assert.equal(m.fileName(artist, title, "flac"), want);
  assert.equal(m.fileName("Ada", "Rain", "../x"), "Ada - Rain.bin");
});

test("a release's files are numbered in a folder of their own", () => {
  assert.equal(m.folderName("Ada / Brandt", "..Boiler: Songs"), "Ada - Brandt - Boiler- Songs");
  assert.equal(m.numbered(1, 9, "Rain", "flac"), "01 Rain.flac");
  assert.equal(m.numbered(7, 120, "../Rain?", "mp3"), "007 -Rain-.mp3");
  assert.equal(m.numbered(2, 2, "\u202eCON", "exe/../x"), "02 Untitled.bin");
});

// A small home instance for tests in a real browser: the pages as the server renders them, sealed music, a grant.
import { execFileSync } from "node:child_process";
import { createCipheriv, createHash, hkdfSync, randomBytes, sign, createPrivateKey } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { load } from "../test/bundle.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const assets = join(here, "..");
const fixture = JSON.parse(readFileSync(join(assets, "test/testdata/grant.json"), "utf8"));
const { base32, canonicalize, encodeBase58 } = await load("bytes", "json", "multikey");
const kinds = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png", ".wav": "audio/wav" };
const policy = /ContentSecurityPolicy = ([\s\S]*?)\n\n/.exec(readFileSync(join(assets, "../static.go"), "utf8"))[1].split(/"\s*\+\s*\n\s*"/).join("").replace(/^"|"$/g, "");

export const trackURI = Object.keys(fixture.contentKeys)[0];
export const listenerSeed = fixture.listenerSeed;
const contentKey = Buffer.from(fixture.contentKeys[trackURI], "hex");

/** The pages, rendered once for all tests. */
export function renderPages() {
  const folder = mkdtempSync(join(tmpdir(), "pages-"));
  execFileSync("go", ["run", "./templates/shots", folder], { cwd: join(assets, "../.."), stdio: ["ignore", "ignore", "inherit"] });
  return folder;
}

const sha256 = (...parts) => parts.reduce((h, p) => h.update(p), createHash("sha256")).digest();

/** Seals a sound in three renditions as the ingest does, and gives the blocks by CID. */
export function sealMusic(seconds = 14) {
  const folder = mkdtempSync(join(tmpdir(), "music-"));
  const blocks = new Map();
  const put = (bytes) => {
    const cid = "b" + base32(Buffer.concat([Buffer.from([1, 0x55, 0x12, 32]), sha256(bytes)])).toLowerCase();
    blocks.set(cid, Buffer.from(bytes));
    return cid;
  };
  const segments = [];
  let master = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n";
  for (const [name, bits, codecs, args] of [
    ["aac64", 66000, "mp4a.40.2", ["-c:a", "aac", "-b:a", "64k"]],
    ["aac128", 132000, "mp4a.40.2", ["-c:a", "aac", "-b:a", "128k"]],
    ["flac", 700000, "fLaC", ["-c:a", "flac", "-strict", "-2"]],
  ]) {
    const at = join(folder, name);
    execFileSync("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", `sine=330:d=${seconds}:r=44100`, ...args, "-f", "hls", "-hls_time", "4", "-hls_list_size", "0",
      "-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", `${name}-init.mp4`, "-hls_segment_filename", `${at}-%03d.m4s`, `${at}.m3u8`]);
    const key = Buffer.from(hkdfSync("sha256", contentKey, Buffer.alloc(0), `hls/${name}`, 16));
    const lengths = [...readFileSync(`${at}.m3u8`, "utf8").matchAll(/#EXTINF:([\d.]+)/g)].map((m) => m[1]);
    let media = `#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MAP:URI="${put(readFileSync(`${at}-init.mp4`))}"\n`;
    readdirSync(folder).filter((f) => f.startsWith(`${name}-`) && f.endsWith(".m4s")).sort().forEach((file, i) => {
      const iv = randomBytes(16);
      const cipher = createCipheriv("aes-128-cbc", key, iv);
      const cid = put(Buffer.concat([cipher.update(readFileSync(join(folder, file))), cipher.final()]));
      segments.push(cid);
      media += `#EXT-X-KEY:METHOD=AES-128,URI="key://antiphon/${name}",IV=0x${iv.toString("hex")}\n#EXTINF:${lengths[i]},\n${cid}\n`;
    });
    master += `#EXT-X-STREAM-INF:BANDWIDTH=${bits},AVERAGE-BANDWIDTH=${bits},CODECS="${codecs}"\n${put(media + "#EXT-X-ENDLIST\n")}\n`;
  }
  rmSync(folder, { recursive: true });
  return { blocks, segments, manifest: put(master) };
}

/** The grant of the vectors, naming this manifest and signed anew by its artist. */
export function grantFor(manifest) {
  const grant = JSON.parse(fixture.grant);
  grant.items.find((i) => i.track === trackURI).manifest = manifest;
  const { proof, ...object } = grant;
  const { proofValue, ...options } = proof;
  const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.from(fixture.proofSeed, "hex")]);
  const key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
  const signed = sign(null, Buffer.concat([sha256(canonicalize(options)), sha256(canonicalize(object))]), key);
  return { ...object, proof: { ...options, proofValue: "z" + encodeBase58(signed) } };
}

/** Starts the instance. `pages` maps paths to files of the rendered folder; `routes` answer first: (body, url) -> [status, JSON]. */
export async function open(folder, pages, music, routes = {}) {
  const asked = [];
  const grant = music && grantFor(music.manifest);
  const standard = {
    "/play/grant": () => [200, { track: { peaks: Buffer.from([9, 200, 90, 255]).toString("base64") }, grant, keys: fixture.keys, master: `/ipfs/${music.manifest}` }],
    "/play/relay": (body) => {
      const { grant: id, set, capsules } = JSON.parse(body.body);
      const at = grant.proxies.findIndex((p) => p.reencrypt === body.url);
      const order = grant.items.map((i) => i.capsule);
      return [200, { grant: id, set, proxy: grant.proxies[at].actor, cfrags: capsules.map((c) => fixture.answers[set][at][order.indexOf(c)]) }];
    },
  };
  const server = createServer(async (request, answer) => {
    const url = new URL(request.url, "http://x");
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const raw = Buffer.concat(chunks).toString();
    asked.push({ method: request.method, url, raw });
    const send = (status, type, bytes) => {
      // Browsers move within a sound only where a server answers for parts.
      const part = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
      if (part && type === kinds[".wav"]) {
        const [from, to] = [Number(part[1]), Number(part[2]) || bytes.length - 1];
        answer.writeHead(206, { "Content-Type": type, "Accept-Ranges": "bytes", "Content-Range": `bytes ${from}-${to}/${bytes.length}` });
        return answer.end(bytes.subarray(from, to + 1));
      }
      answer.writeHead(status, { "Content-Type": type, "Content-Security-Policy": policy, "Cache-Control": "no-store" });
      answer.end(bytes);
    };
    const route = routes[url.pathname] ?? standard[url.pathname];
    if (route) {
      const [status, value] = route(raw.startsWith("{") ? JSON.parse(raw) : raw, url);
      return send(status, "application/json", JSON.stringify(value));
    }
    if (url.pathname.startsWith("/ipfs/")) {
      const block = music?.blocks.get(url.pathname.slice(6));
      return block ? send(200, "application/octet-stream", block) : send(404, "text/plain", "");
    }
    const file = pages[url.pathname] ?? url.pathname.slice(1);
    try {
      const at = url.pathname.startsWith("/static/") ? join(assets, "..", url.pathname) : join(folder, file);
      let bytes = readFileSync(at);
      // The pages were rendered for another origin and with an invented track.
      if (at.endsWith(".html")) bytes = bytes.toString().replaceAll("https://kirchplatz.example/tracks/2\"", trackURI + '"').replaceAll("https://kirchplatz.example", `http://${request.headers.host}`);
      send(200, kinds[extname(at)] ?? "application/octet-stream", bytes);
    } catch {
      send(404, "text/plain", "");
    }
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return { origin, asked, close: () => new Promise((done) => { server.closeAllConnections(); server.close(done); }) };
}

/** A fresh browser. */
export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

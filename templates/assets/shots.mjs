// Takes pictures of the pages that templates/shots rendered: phone and desk, light and dark, some with the player on.
//   node shots.mjs FOLDER [page ...]
import { chromium } from "playwright-core";
import { createServer } from "node:http";
import { mkdtemp, readFile, readdir, mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [folder, ...only] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node shots.mjs FOLDER [page ...]");
  process.exit(2);
}
const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(folder);
const out = join(root, "pictures");
const kinds = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png", ".wav": "audio/wav", ".json": "application/json" };
const policy = /ContentSecurityPolicy = ([\s\S]*?)\n\n/.exec(await readFile(join(here, "../static.go"), "utf8"))[1]
  .split(/"\s*\+\s*\n\s*"/).join("").replace(/^"|"$/g, "");
const progress = JSON.stringify({ state: "working", left: 41, steps: [{ name: "transcode", state: "working", done: 0.5 }] });

const server = createServer(async (request, answer) => {
  const { pathname } = new URL(request.url, "http://x");
  const path = pathname.startsWith("/static/") ? join(here, "..", pathname) : join(root, pathname);
  try {
    const bytes = pathname.endsWith("/progress") ? progress : await readFile(path);
    answer.writeHead(200, { "Content-Type": kinds[extname(path)] ?? "application/json", "Content-Security-Policy": policy });
    answer.end(bytes);
  } catch {
    answer.writeHead(404).end();
  }
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const origin = `http://127.0.0.1:${server.address().port}`;

const profile = await mkdtemp(join(tmpdir(), "shots-"));
await mkdir(out, { recursive: true });
const names = (await readdir(root)).filter((n) => n.endsWith(".html")).map((n) => n.slice(0, -5)).filter((n) => !only.length || only.includes(n));
// What only appears when somebody does something.
const play = async (page) => {
  await page.locator("[data-play]").first().click();
  await page.waitForSelector("#player:not([hidden])");
  await page.waitForTimeout(400);
};
const scenes = {
  landing: [["playing", play], ["queue", async (page) => {
    await play(page);
    await page.click("[data-queue-toggle]");
  }]],
  track: [["playing", play]],
  "library-500": [["refused", play]],
  timeline: [["menu", (page) => page.click("details.menu summary")]],
  signup: [["key", async (page) => {
    await page.fill("#name", "lin");
    for (const field of ["[data-passphrase]", "[data-again]"]) await page.fill(field, "lantern copper otter ninety");
    await page.click('[data-step="form"] button[type="submit"]');
    await page.waitForSelector('[data-step="show"]:not([hidden])');
  }], ["confirm", async (page) => {
    for (const field of ["[data-passphrase]", "[data-again]"]) await page.fill(field, "lantern copper otter ninety");
    await page.fill("#name", "lin");
    await page.click('[data-step="form"] button[type="submit"]');
    await page.click("[data-written]");
    for (const field of ["#asked-0", "#asked-1"]) await page.fill(field, "abcd");
    await page.click('[data-step="confirm"] button[type="submit"]');
    await page.waitForSelector('[data-error="asked"]:not([hidden])');
  }], ["weak", async (page) => {
    await page.fill("#name", "lin");
    for (const field of ["[data-passphrase]", "[data-again]"]) await page.fill(field, "password1234");
    await page.click('[data-step="form"] button[type="submit"]');
    await page.waitForSelector('[data-error="passphrase"]:not([hidden])');
  }]],
  upload: [["rows", async (page) => {
    await page.route("**/uploads/**", (route) => (route.request().method() === "POST" ? route.fulfill({ status: 201, headers: { "Tus-Resumable": "1.0.0", Location: "/uploads/1" } }) : undefined));
    await page.setInputFiles("[data-files]", ["01 Dusk Over Kirchplatz.flac", "02 The Lanterns We Carried Down to the Harbour on the Last Evening (Live at St. Jakobi).wav", "03 أغنية المطر.flac", "cover.jpg"]
      .map((name, i) => ({ name, mimeType: i < 3 ? "audio/flac" : "image/jpeg", buffer: Buffer.alloc(3_400_000) })));
    await page.waitForTimeout(300);
  }]],
};
let complaints = 0;
try {
  for (const width of [390, 1280]) {
    for (const scheme of ["light", "dark"]) {
      const context = await chromium.launchPersistentContext(join(profile, `${width}-${scheme}`), {
        executablePath: "/usr/bin/chromium",
        headless: true,
        args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        viewport: { width, height: width === 390 ? 844 : 860 },
        colorScheme: scheme,
        reducedMotion: "reduce",
        locale: "en-US",
      });
      const page = context.pages()[0] ?? (await context.newPage());
      page.on("console", (m) => {
        if (m.type() === "error" && !/404/.test(m.text())) complaints++, console.log(`${new URL(page.url()).pathname}: ${m.text()}`);
      });
      page.on("pageerror", (e) => (complaints++, console.log(`${new URL(page.url()).pathname}: ${e}`)));
      for (const name of names) {
        await page.goto(`${origin}/${name}.html`, { waitUntil: "load" });
        await page.evaluate(() => Promise.all([...document.images].map((i) => ((i.loading = "eager"), i.decode().catch(() => 0)))));
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (wide > 0) complaints++, console.log(`${name} is ${wide} px too wide at ${width}`);
        await page.screenshot({ path: join(out, `${name}-${width}-${scheme}.png`), fullPage: !/500/.test(name) });
        for (const [scene, act] of scenes[name] ?? []) {
          await page.goto(`${origin}/${name}.html`, { waitUntil: "load" });
          await act(page);
          await page.screenshot({ path: join(out, `${name}-${scene}-${width}-${scheme}.png`) });
          await page.unrouteAll({ behavior: "ignoreErrors" });
        }
      }
      await context.close();
    }
  }
} finally {
  server.close();
  await rm(profile, { recursive: true, force: true });
}
console.log(`${names.length} pages, ${complaints} complaints, pictures in ${out}`);

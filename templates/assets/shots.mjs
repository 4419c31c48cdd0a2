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
const playing = new Set(["landing", "track", "library-500"]);
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
        if (!playing.has(name) || (await page.locator("[data-play]").count()) === 0) continue;
        await page.locator("[data-play]").first().click();
        await page.waitForSelector("#player:not([hidden])");
        await page.waitForTimeout(400);
        await page.screenshot({ path: join(out, `${name}-playing-${width}-${scheme}.png`) });
      }
      await context.close();
    }
  }
} finally {
  server.close();
  await rm(profile, { recursive: true, force: true });
}
console.log(`${names.length} pages, ${complaints} complaints, pictures in ${out}`);

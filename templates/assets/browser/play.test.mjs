// Bought music in a real browser: from a click to sound, and what is said when there is none.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, listenerSeed, open, renderPages, sealMusic, trackURI } from "./house.mjs";

let folder, music, browser;
before(async () => {
  folder = renderPages();
  music = sealMusic();
  browser = await launch();
});
after(() => browser.close());

const pages = { "/": "timeline.html", "/tracks/2": "track-owned.html", "/library": "library-500.html", "/new": "landing.html" };

// Opens the page of the bought track with the listener's seed in the browser.
async function visit(t, { routes = {}, seed = listenerSeed, sealed = music } = {}) {
  const house = await open(folder, pages, sealed, routes);
  const context = await browser.newContext();
  t.after(async () => {
    await context.close();
    await house.close();
  });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (e) => problems.push(String(e)));
  page.on("console", (m) => /Content Security Policy/i.test(m.text()) && problems.push(m.text()));
  await page.goto(`${house.origin}/tracks/2`);
  if (seed) {
    await page.evaluate(([hex, actor]) => new Promise((ok, no) => {
      const request = indexedDB.open("antiphon", 1);
      request.onupgradeneeded = () => request.result.createObjectStore("seeds");
      request.onerror = no;
      request.onsuccess = () => {
        const tx = request.result.transaction("seeds", "readwrite");
        tx.objectStore("seeds").put({ seed: Uint8Array.from(hex.match(/../g), (b) => parseInt(b, 16)), version: 1 }, actor);
        tx.oncomplete = () => (request.result.close(), ok());
      };
    }), [seed, `${house.origin}/users/lin`]);
  }
  return { page, house, problems };
}

const words = (page) => page.locator("#player [data-words]");
const play = (page) => page.locator(".sheet [data-play]").click();

// Presses play and gives the milliseconds until there was sound.
async function sound(page) {
  await page.evaluate(() => {
    window.heard = new Promise((ok) => {
      const real = HTMLMediaElement.prototype.play;
      HTMLMediaElement.prototype.play = function () {
        const look = () => (this.currentTime > 0 ? ok(performance.now()) : setTimeout(look, 5));
        look();
        window.audio = this;
        return real.call(this);
      };
    });
    document.addEventListener("click", () => (window.clicked ??= performance.now()), true);
  });
  await play(page);
  return page.evaluate(async () => (await window.heard) - window.clicked);
}

test("a click becomes sound", async (t) => {
  const { page, house, problems } = await visit(t);
  const took = await sound(page);
  t.diagnostic(`${Math.round(took)} ms from the click to sound, nothing fetched before`);
  assert.ok(took < 3000, `${took} ms`);
  await page.waitForFunction(() => window.audio.currentTime > 1);
  assert.ok(Math.abs((await page.evaluate(() => window.audio.duration)) - 14) < 0.5);
  assert.equal(await words(page).textContent(), "");
  assert.deepEqual(await page.locator("[data-quality] option").allTextContents(), ["Automatic", "64 kbit/s", "128 kbit/s", "Lossless"]);
  assert.equal(await page.locator(".sheet [data-play]").getAttribute("aria-pressed"), "true");
  assert.deepEqual(house.asked.filter((a) => /key/.test(a.url.pathname)), [], "no key was asked of anybody");
  assert.deepEqual(problems, []);
});

test("what is in the hand when one reaches for the button is quick", async (t) => {
  const { page, house } = await visit(t);
  // The page asks by itself which files there are to keep.
  await page.waitForFunction(() => performance.getEntriesByType("resource").some((e) => e.name.includes("/play/grant")));
  await page.locator(".sheet [data-play]").hover();
  await page.waitForFunction((n) => performance.getEntriesByType("resource").filter((e) => e.name.includes("/ipfs/")).length >= n, 5);
  const took = await sound(page);
  t.diagnostic(`${Math.round(took)} ms from the click to sound, after reaching for the button`);
  assert.equal(house.asked.filter((a) => a.url.pathname === "/play/grant").length, 2);
});

test("the sound goes on from page to page", async (t) => {
  const { page, problems } = await visit(t);
  await sound(page);
  await page.evaluate(() => (window.stays = true));
  await page.click('nav a[href="/library"]');
  await page.waitForSelector("h1:has-text('Library')");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  assert.match(await page.title(), /^Library/);
  const then = await page.evaluate(() => window.audio.currentTime);
  await page.waitForFunction((t) => !window.audio.paused && window.audio.currentTime > t + 0.3, then);
  assert.equal(await page.locator(`main [data-track="${trackURI}"]`).count(), 0);
  await page.goBack();
  await page.waitForSelector(".sheet");
  assert.equal(await page.evaluate(() => window.stays), true, "the page was never unloaded");
  assert.equal(await page.locator(".sheet [data-play]").getAttribute("aria-pressed"), "true");
  await page.keyboard.press("Space");
  assert.equal(await page.evaluate(() => window.audio.paused), true);
  const at = await page.evaluate(() => window.audio.currentTime);
  await page.keyboard.press("ArrowRight");
  assert.ok((await page.evaluate(() => window.audio.currentTime)) > at + 4);
  assert.deepEqual(problems, []);
});

test("one preview leads to the next, and the last to where one can buy", async (t) => {
  const { page, problems } = await visit(t, { seed: "" });
  await page.goto(new URL("/new", page.url()).href);
  await page.evaluate(() => {
    const real = HTMLMediaElement.prototype.play;
    HTMLMediaElement.prototype.play = function () {
      window.audio = this;
      return real.call(this);
    };
  });
  const title = () => page.textContent("#player [data-title]");
  const toEnd = async () => {
    await page.waitForFunction(() => window.audio?.currentTime > 0.1);
    await page.evaluate(() => ((window.was = window.audio), (window.audio.currentTime = window.audio.duration - 0.4)));
  };
  await page.locator(".tile [data-play]").first().click();
  await toEnd();
  await page.waitForFunction(() => window.audio !== window.was && window.audio.currentTime > 0.1);
  assert.equal(await title(), "Fernweh");
  await page.click("[data-queue-toggle]");
  await page.locator("[data-queue-list] button").last().click();
  assert.equal(await title(), "Pneuma");
  await toEnd();
  await page.waitForSelector("#player [data-words] button");
  assert.match(await words(page).textContent(), /That was the preview. *Buy the whole track/);
  assert.deepEqual(problems, []);
});

test("lossless can be chosen while it plays", async (t) => {
  const { page, house } = await visit(t);
  await sound(page);
  await page.selectOption("[data-quality]", "flac");
  await page.waitForFunction(() => window.audio.currentTime > 7, undefined, { timeout: 15_000 });
  assert.equal(await words(page).textContent(), "");
  const flac = new Set(music.segments.slice(-3));
  assert.ok(house.asked.some((a) => flac.has(a.url.pathname.slice(6))), "lossless pieces were fetched");
});

const silent = [
  ["nobody is logged in", { routes: { "/play/grant": () => [401, {}] } }, /log in to play/],
  ["the track is not one's own", { routes: { "/play/grant": () => [404, {}] } }, /do not have this track/],
  ["the browser has no seed", { seed: "" }, /not in this browser/],
  ["the grant is for another key", { seed: "07".repeat(32) }, /asked for another key/],
  ["the artist did not sign the grant", { routes: { "/play/grant": () => [200, { grant: { id: "x" }, keys: {} }] } }, /not signed by its artist/],
  ["the proxies say that it was revoked", { routes: { "/play/relay": () => [410, { code: "revoked" }] } }, /withdrawn access/],
];
for (const [name, setting, said] of silent) {
  test(`it is said in words that ${name}`, async (t) => {
    const { page } = await visit(t, setting);
    await play(page);
    await page.waitForFunction(() => document.querySelector("#player [data-words]")?.dataset.kind === "error");
    assert.match(await words(page).textContent(), said);
    assert.equal(await page.locator("#player [data-words] button").count(), 1);
  });
}

test("a lost connection is said, and the sound comes when it is back", async (t) => {
  const { page } = await visit(t);
  let lost = true;
  await page.route("**/ipfs/**", (route) => (lost ? route.abort("internetdisconnected") : route.continue()));
  await play(page);
  await page.waitForFunction(() => /connection is lost/.test(document.querySelector("#player [data-words]")?.textContent));
  lost = false;
  await page.waitForFunction(() => document.querySelector("#player [data-words]").textContent === "", undefined, { timeout: 20_000 });
  assert.notEqual(await page.textContent("[data-now]"), undefined);
});

test("a piece that was changed on the way is not played", async (t) => {
  const sealed = { ...music, blocks: new Map(music.blocks) };
  for (const cid of music.segments) {
    const bytes = Buffer.from(music.blocks.get(cid));
    bytes[40] ^= 1;
    sealed.blocks.set(cid, bytes);
  }
  const { page } = await visit(t, { sealed });
  await play(page);
  await page.waitForFunction(() => document.querySelector("#player [data-words]")?.dataset.kind === "error", undefined, { timeout: 60_000 });
  assert.match(await words(page).textContent(), /arrived damaged/);
});

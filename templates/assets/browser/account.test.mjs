// Accounts in a real browser: what is sent, what is kept, and that the passphrase is in neither.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { load } from "../test/bundle.mjs";
import { launch, open, renderPages } from "./house.mjs";

const m = await load("bytes", "crypt", "recovery", "keys");
const passphrase = "lantern copper otter ninety";

let folder, browser;
before(async () => {
  folder = renderPages();
  browser = await launch();
});
after(() => browser.close());

async function visit(t, path, routes) {
  const pages = { "/": "timeline.html", "/signup": "signup.html", "/login": "login.html", "/settings": "settings.html", "/recover/x": "recover.html", "/draft": "draft-ready.html", "/upload": "upload.html", "/library": "library-500.html", "/drafts/7": "draft-ready.html", "/drafts/9": "library-500.html", "/logout": "landing.html" };
  const house = await open(folder, pages, undefined, routes);
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
  t.after(async () => {
    await context.close();
    await house.close();
  });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (e) => problems.push(String(e)));
  page.on("console", (msg) => /Content Security Policy/i.test(msg.text()) && problems.push(msg.text()));
  await page.goto(house.origin + path);
  const sent = (where) => house.asked.filter((a) => a.method === "POST" && a.url.pathname === where).map((a) => JSON.parse(a.raw));
  return { page, house, sent, problems };
}

const kept = (page) => page.evaluate(() => new Promise((ok, no) => {
  const request = indexedDB.open("antiphon", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("seeds");
  request.onerror = no;
  request.onsuccess = () => {
    const store = request.result.transaction("seeds").objectStore("seeds");
    const keys = store.getAllKeys();
    const all = store.getAll();
    all.onsuccess = () => (request.result.close(), ok(keys.result.map((k, i) => ({ actor: k, version: all.result[i].version, seed: [...all.result[i].seed] }))));
  };
}));

async function keep(page, actor, seed, version = 1) {
  await page.evaluate(([a, s, v]) => new Promise((ok) => {
    const request = indexedDB.open("antiphon", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("seeds");
    request.onsuccess = () => {
      const tx = request.result.transaction("seeds", "readwrite");
      tx.objectStore("seeds").put({ seed: Uint8Array.from(s), version: v }, a);
      tx.oncomplete = () => (request.result.close(), ok());
    };
  }), [actor, [...seed], version]);
}

function nothingLeaked(house, ...secrets) {
  for (const { url, raw } of house.asked) {
    for (const secret of secrets) assert.ok(!raw.includes(secret) && !url.href.includes(encodeURIComponent(secret)), `${url.pathname} holds a secret`);
  }
}

test("one signs up, writes the recovery key down, and keeps the own seed", async (t) => {
  const { page, house, sent, problems } = await visit(t, "/signup", {});
  await page.fill("#name", "lin");
  await page.fill("#display", "Lin Okafor");
  await page.fill("[data-passphrase]", "short");
  assert.equal(await page.textContent("[data-strength-words]"), "Easy to guess");
  await page.fill("[data-passphrase]", passphrase);
  assert.equal(await page.textContent("[data-strength-words]"), "Good");
  await page.fill("[data-again]", passphrase + "x");
  await page.click('[data-step="form"] button[type="submit"]');
  await page.waitForSelector('[data-error="again"]:not([hidden])');
  assert.equal(await page.evaluate(() => document.activeElement.id), "again");
  await page.fill("[data-again]", passphrase);
  await page.click('[data-step="form"] button[type="submit"]');
  await page.waitForSelector('[data-step="show"]:not([hidden])');
  const groups = await page.locator("[data-groups] li").allTextContents();
  assert.equal(groups.length, 14);
  await page.click("[data-copy-key]");
  await page.waitForFunction(() => /Copied/.test(document.querySelector("[data-copy-key]").textContent));
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), groups.join(" "));
  await page.click("[data-written]");
  const asked = (await page.locator("[data-asked-label]").allTextContents()).map((l) => Number(/\d+/.exec(l)[0]));
  await page.fill("#asked-0", "AAAA");
  await page.fill("#asked-1", groups[asked[1] - 1]);
  await page.click('[data-step="confirm"] button[type="submit"]');
  await page.waitForSelector('[data-error="asked"]:not([hidden])');
  assert.equal(sent("/signup").length, 0, "nothing is sent before the key is confirmed");
  await page.fill("#asked-0", groups[asked[0] - 1].toLowerCase());
  await page.route("**/signup", (route) => (route.request().method() === "POST" ? route.fulfill({ json: { next: "/library" } }) : route.continue()));
  const request = page.waitForRequest((r) => r.method() === "POST" && r.url().endsWith("/signup"));
  await page.click('[data-step="confirm"] button[type="submit"]');
  const body = (await request).postDataJSON();
  await page.waitForURL("**/library");

  const actor = `${house.origin}/users/lin`;
  const { auth, wrap } = await m.halves(passphrase, actor);
  assert.deepEqual(Object.keys(body).sort(), ["auth", "custody", "display", "invite", "name", "reason", "receivingKey", "recovery", "requestingKey", "wrapped"]);
  assert.deepEqual([body.name, body.display, body.custody, body.invite], ["lin", "Lin Okafor", "own", "k3f9-lantern"]);
  assert.equal(body.auth, m.b64u(auth));
  const seed = m.unwrapSeed(wrap, body.wrapped, actor, 1);
  assert.deepEqual([...m.unwrapSeed(await m.parseRecovery(groups.join(" ")), body.recovery, actor, 1)], [...seed]);
  assert.deepEqual({ receiving: body.receivingKey, requesting: body.requestingKey }, m.publicKeys(seed));
  assert.deepEqual(await kept(page), [{ actor, version: 1, seed: [...seed] }]);
  nothingLeaked(house, passphrase, groups.join(""), groups.join(" "));
  assert.ok(!JSON.stringify(body).includes(passphrase));
  assert.deepEqual(problems, []);
});

test("one logs in, and logging out forgets the seed", async (t) => {
  const seed = Buffer.alloc(32, 5);
  let actor, wrap;
  const { page, house, sent } = await visit(t, "/login", {});
  actor = `${house.origin}/users/ada`;
  ({ wrap } = await m.halves(passphrase, actor));
  await page.route("**/login", (route) => (route.request().method() === "POST"
    ? route.fulfill({ json: { next: "//evil.example/", actor, custody: "own", wrapped: m.wrapSeed(wrap, seed, actor, 3), version: 3 } }) : route.continue()));
  const request = page.waitForRequest((r) => r.method() === "POST" && r.url().endsWith("/login"));
  await page.fill("#name", `@Ada@${new URL(house.origin).host}`);
  await page.fill("[data-passphrase]", passphrase);
  await page.click('button[type="submit"]');
  assert.equal((await request).postDataJSON().name, "ada");
  await page.waitForURL(house.origin + "/");
  assert.deepEqual(await kept(page), [{ actor, version: 3, seed: [...seed] }]);
  await page.click("details.menu summary");
  await page.click('[action="/logout"] button');
  await page.waitForURL("**/logout");
  await page.goto(house.origin + "/login");
  assert.deepEqual(await kept(page), []);
  nothingLeaked(house, passphrase);
  assert.deepEqual(sent("/login"), []);
});

test("who is quicker than the code is logged in when it comes", async (t) => {
  const { page, house } = await visit(t, "/login", {});
  let come;
  const late = new Promise((resolve) => (come = resolve));
  await page.route("**/static/auth-*.js", async (route) => {
    await late;
    await route.continue();
  });
  await page.goto(house.origin + "/login", { waitUntil: "load" });
  await page.route("**/login", (route) => (route.request().method() === "POST" ? route.fulfill({ status: 401, json: { error: "No." } }) : route.continue()));
  await page.fill("#name", "ada");
  await page.fill("[data-passphrase]", passphrase);
  await page.click('button[type="submit"]');
  const request = page.waitForRequest((r) => r.method() === "POST" && r.url().endsWith("/login"));
  come();
  assert.equal((await request).postDataJSON().name, "ada");
});

test("who waits for code that never comes is told what to do", async (t) => {
  const { page, house } = await visit(t, "/login", {});
  await page.route("**/static/auth-*.js", (route) => route.abort());
  await page.goto(house.origin + "/login", { waitUntil: "load" });
  await page.fill("#name", "ada");
  await page.fill("[data-passphrase]", passphrase);
  await page.click('button[type="submit"]');
  await page.locator('[data-error=""]:has-text("Load it again")').waitFor({ timeout: 10_000 });
});

test("a refusal is said where it belongs", async (t) => {
  const { page } = await visit(t, "/login", {});
  await page.route("**/login", (route) => (route.request().method() === "POST" ? route.fulfill({ status: 401, json: { error: "Name and passphrase do not fit together." } }) : route.continue()));
  await page.fill("#name", "ada");
  await page.fill("[data-passphrase]", passphrase);
  await page.click('button[type="submit"]');
  await page.waitForSelector('[data-error=""]:not([hidden])');
  assert.equal(await page.textContent('[data-error=""]'), "Name and passphrase do not fit together.");
  assert.equal(await page.textContent('button[type="submit"]'), "Log in");
});

test("a new passphrase locks the same seed anew", async (t) => {
  const { page, house, sent } = await visit(t, "/settings", { "/settings/passphrase": () => [200, { next: "/library" }] });
  const actor = `${house.origin}/users/lin`;
  const seed = Buffer.alloc(32, 6);
  await keep(page, actor, seed, 2);
  const form = '[data-module="passphrase"]';
  await page.fill(`${form} [data-current]`, passphrase);
  await page.fill(`${form} [data-passphrase]`, passphrase + " violin");
  await page.fill(`${form} [data-again]`, passphrase + " violin");
  await page.click(`${form} button[type="submit"]`);
  await page.waitForURL("**/library");
  const [body] = sent("/settings/passphrase");
  assert.equal(body.auth, m.b64u((await m.halves(passphrase, actor)).auth));
  const then = await m.halves(passphrase + " violin", actor);
  assert.equal(body.newAuth, m.b64u(then.auth));
  assert.deepEqual([...m.unwrapSeed(then.wrap, body.wrapped, actor, 3)], [...seed]);
  assert.equal((await kept(page))[0].version, 3);
  nothingLeaked(house, passphrase);
});

test("the recovery key brings the seed back under a new passphrase", async (t) => {
  const { page, house, sent } = await visit(t, "/recover/x", {});
  const actor = `${house.origin}/users/lin`;
  const key = Buffer.alloc(32, 9);
  const seed = Buffer.alloc(32, 4);
  await page.evaluate((r) => (document.querySelector('[data-module="recover"]').dataset.recovery = r), m.wrapSeed(key, seed, actor, 1));
  await page.reload();
  // The page of the server names the wrapped seed; here the answer is changed on its way.
  await page.route("**/recover/x", async (route) => {
    if (route.request().method() === "POST") return route.fulfill({ json: { next: "/login" } });
    const answer = await route.fetch();
    return route.fulfill({ response: answer, body: (await answer.text()).replace('data-recovery="CQkJ"', `data-recovery="${m.wrapSeed(key, seed, actor, 1)}"`) });
  });
  await page.reload();
  await page.fill("[data-passphrase]", passphrase);
  await page.fill("[data-again]", passphrase);
  await page.fill("[data-recovery-key]", "ABCD EFGH");
  await page.click('button[type="submit"]');
  await page.waitForSelector('[data-error="recovery"]:not([hidden])');
  assert.match(await page.textContent('[data-error="recovery"]'), /14 groups/);
  await page.fill("[data-recovery-key]", (await m.recoveryGroups(key)).join("  ").toLowerCase());
  const request = page.waitForRequest((r) => r.method() === "POST");
  await page.click('button[type="submit"]');
  const body = (await request).postDataJSON();
  const { auth, wrap } = await m.halves(passphrase, actor);
  assert.equal(body.auth, m.b64u(auth));
  assert.deepEqual([...m.unwrapSeed(wrap, body.wrapped, actor, 3)], [...seed]);
  assert.deepEqual(sent("/recover/x"), []);
});

test("whoever gives the key away is asked for the passphrase", async (t) => {
  const { page, house, sent } = await visit(t, "/settings", { "/settings/custody": () => [200, { next: "/library" }] });
  const actor = `${house.origin}/users/lin`;
  const seed = Buffer.alloc(32, 8);
  await keep(page, actor, seed, 2);
  const root = '[data-module="custody"]';
  assert.equal(await page.isVisible("#custody-current"), false);
  await page.check(`${root} input[value="delegated"]`);
  await page.fill("#custody-current", passphrase);
  await page.click(`${root} [data-step="form"] button[type="submit"]`);
  await page.waitForURL("**/library");
  const [body] = sent("/settings/custody");
  assert.deepEqual([body.custody, body.wrapped, body.recovery], ["delegated", m.b64u(seed), ""]);
  assert.equal(body.auth, m.b64u((await m.halves(passphrase, actor)).auth));
});

test("the keys that the page names are compared with the own ones", async (t) => {
  const { page, house } = await visit(t, "/settings", {});
  await page.waitForSelector('[data-key-words][data-state="absent"]');
  await keep(page, `${house.origin}/users/lin`, Buffer.alloc(32, 1));
  await page.reload();
  await page.waitForSelector('[data-key-words][data-state="other"]');
  assert.match(await page.textContent("[data-key-words]"), /NOT the key/);
});

test("a file goes up in parts, goes on after a cut, and leads to its draft", async (t) => {
  const { page, house, problems } = await visit(t, "/upload", {});
  let stored = 0;
  let cut = true;
  const total = 40 << 20;
  await page.route("**/uploads/**", async (route) => {
    const request = route.request();
    const headers = { "Tus-Resumable": "1.0.0" };
    if (request.method() === "POST") {
      assert.equal(Buffer.from(request.headers()["upload-metadata"].split(" ")[1], "base64").toString(), "lied.flac");
      return route.fulfill({ status: 201, headers: { ...headers, Location: `${house.origin}/uploads/1` } });
    }
    if (request.method() === "HEAD") return route.fulfill({ status: 200, headers: { ...headers, "Upload-Offset": String(stored), "Upload-Length": String(total) } });
    assert.equal(Number(request.headers()["upload-offset"]), stored);
    if (stored > 0 && cut) {
      cut = false;
      return route.abort("connectionreset");
    }
    stored = Math.min(total, stored + (16 << 20));
    return route.fulfill({ status: 204, headers: { ...headers, "Upload-Offset": String(stored), ...(stored === total ? { "Antiphon-Draft": "/drafts/7" } : {}) } });
  });
  const file = join(folder, "lied.flac");
  writeFileSync(file, Buffer.alloc(total));
  await page.setInputFiles("[data-files]", file);
  await page.waitForURL("**/drafts/7", { timeout: 20_000 });
  assert.equal(stored, total);
  assert.equal(cut, false);
  assert.deepEqual(problems, []);
});

test("what is not sound is said to be so, and sends nothing", async (t) => {
  const { page, house } = await visit(t, "/upload", {});
  await page.setInputFiles("[data-files]", { name: "cover.jpg", mimeType: "image/jpeg", buffer: Buffer.from("x") });
  assert.match(await page.textContent(".upload [data-state]:not(li)"), /not a sound file/);
  assert.equal(house.asked.filter((a) => a.url.pathname.startsWith("/uploads")).length, 0);
});

test("a form is sent without unloading the page", async (t) => {
  const { page, problems } = await visit(t, "/draft", {});
  await page.evaluate(() => (window.stays = true));
  await page.fill("#title", "Neues Lied");
  const request = page.waitForRequest((r) => r.method() === "POST");
  await page.click('button[value="save"]');
  const body = (await request).postData();
  assert.match(body, /name="title"\r\n\r\nNeues Lied/);
  assert.match(body, /name="action"\r\n\r\nsave/);
  await page.waitForSelector("h1:has-text('Library')");
  assert.equal(await page.evaluate(() => window.stays), true);
  assert.deepEqual(problems, []);
});

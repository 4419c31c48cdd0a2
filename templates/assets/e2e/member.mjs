// From three sign-ups to the page of where the money goes: an artist puts a track into the listening pool of two instances;
// a listener of the other one pays a month's dues from a wallet of their own, hears the track, looks at what was recorded
// of it and has it forgotten; somebody who has not paid is told what to do.
import { readFile } from "node:fs/promises";
import { hear, note, picture, seedOf, setting, signUp, sounds, tell, until } from "./visitor.mjs";

await tell(async (report, open) => {
  report.texts = {};
  report.files = {};
  const [ada, lin, max] = await Promise.all([open(setting.artist), open(setting.listener), open(setting.other)]);

  note("sign up");
  [report.artistRecovery, report.recovery] = await Promise.all([signUp(ada), signUp(lin), signUp(max)]);
  report.artistSeed = await seedOf(ada, `${ada.base}/users/${ada.name}`);
  report.seed = await seedOf(lin, `${lin.base}/users/${lin.name}`);
  await follow(lin);
  await Promise.all([post(ada, report).then(() => lend(ada, report)), join(lin, report)]);
  await Promise.all([listen(lin, report), look(max, report)]);
  await Promise.all([settle(lin, report), statements(ada, report)]);
});

/** What stands on a page, for the test to read. */
function words({ page }) {
  return page.locator("main").innerText();
}

function trackPage({ base }, { track }) {
  return `${base}/music?uri=${encodeURIComponent(track)}`;
}

async function follow(lin) {
  note("follow");
  const { page } = lin;
  await page.fill("#address", `@${setting.artist.name}@${new URL(setting.artist.base).host}`);
  await page.click(".follow-box button");
  await page.locator(".artistpage").waitFor();
  const agreed = page.locator('.artist-act form[action="/unfollow"] button:has-text("Following")');
  await until("the other server's agreement", () => agreed.count(), () => page.reload());
}

async function post(ada, report) {
  note("upload");
  const { page } = ada;
  await page.click('nav a[href="/upload"]');
  await page.locator("[data-drop]").waitFor();
  const chooser = page.waitForEvent("filechooser");
  await page.click('label[for="files"]');
  await (await chooser).setFiles(setting.audio);
  await page.fill("#title", setting.title);
  await page.locator('[data-module="draft"][data-state="ready"]').waitFor({ timeout: 120_000 });
  await page.fill("#price", "5.00");
  await page.selectOption("#asset", setting.asset);
  await page.click("[data-publish]");
  await page.locator(".published").waitFor();
  report.track = await page.locator(".published [data-track]").getAttribute("data-track");
}

async function lend(ada, report) {
  note("into the pool");
  const { page } = ada;
  await page.click('nav a[href="/studio"]');
  await page.click('main a[href="/studio/listens"]');
  await page.click('form[action="/studio/pool"] button');
  await page.locator('form[action="/studio/pool"] input[value="out"]').waitFor({ state: "attached" });
  report.texts.listens = await words(ada);
  await picture(ada, "pool-listens");
}

// The invoice is paid with a node of the listener's own, as somebody at a wallet does.
async function join(lin, report) {
  note("join");
  const { page } = lin;
  await page.click("header details.menu summary");
  await page.click('header a[href="/pool"]');
  await page.click('form[action="/pool/join"] button');
  await page.locator(".invoice").waitFor();
  report.texts.invoice = await words(lin);
  await picture(lin, "pool-invoice");
  const [target, amount, token, identifier] = await page.locator(".invoice dd code").allTextContents();
  const sent = performance.now();
  const paid = await fetch(`${setting.wallet}/api/v1/payments/${token}/${target}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ amount, identifier }),
  });
  if (!paid.ok) throw new Error(`the wallet does not pay: ${await paid.text()}`);
  // The page moves by itself.
  await page.locator("main .tag.owned").waitFor({ timeout: 10_000 });
  report.payToMemberMs = performance.now() - sent;
  report.texts.member = await words(lin);
  await picture(lin, "pool-member");
}

async function listen(lin, report) {
  note("listen");
  const { page } = lin;
  const post = page.locator(`.post[data-track="${report.track}"]`);
  await page.goto(lin.base);
  await until("the track of the pool", () => post.locator(".tag.owned").count(), () => page.reload());
  await picture(lin, "pool-timeline");
  await post.locator("h2 a").click();
  await page.locator(".sheet").waitFor();
  report.texts.lent = await words(lin);
  await picture(lin, "pool-track");
  await page.click(".sheet [data-play]");
  report.firstClickMs = await sounds(lin);
  report.start = await hear(lin, 2);
  await page.locator("#player [data-seek]").fill("20");
  await page.waitForFunction(() => !window.audio.seeking && window.audio.currentTime >= 20);
  report.afterSeek = await hear(lin, 31);
  await page.click("#player [data-toggle]");
  await page.waitForFunction(() => window.audio.paused);
}

// Somebody who has not paid looks at the same track, and at what the pool is.
async function look(max, report) {
  note("without a membership");
  const { page } = max;
  await page.goto(trackPage(max, report));
  // The artist has put it into the pool after it was announced: that comes in a message of its own.
  await until("the track of the pool", () => page.locator('.sheet-buy a[href="/pool"]').count(), () => page.reload());
  report.texts.outsider = await words(max);
  await picture(max, "pool-outsider");
  await page.click(".sheet [data-play]");
  await sounds(max);
  report.preview = await hear(max, 1);
  await page.click("#player [data-toggle]");
  // Whose membership has ended while a page was open still has the button on it.
  max.forgiven.push(/\/play\/grant/, /^warning: player: /);
  await page.locator(".sheet").evaluate((sheet) => (sheet.dataset.owned = ""));
  await page.click(".sheet [data-play]");
  const said = page.locator('#player [data-words][data-kind="error"]');
  await said.waitFor();
  report.said = await said.evaluate((e) => e.firstChild.textContent);
  await page.click("#player [data-words] button");
  await page.locator('form[action="/pool/join"] button').waitFor();
  await page.goto(trackPage(max, report));
  await page.click('.sheet-buy a[href="/pool"]');
  await page.locator('form[action="/pool/join"] button').waitFor();
  report.texts.pool = await words(max);
  await picture(max, "pool-fresh");
}

// What the listener finds recorded, and does with it.
async function settle(lin, report) {
  note("history");
  const { page } = lin;
  await page.goto(`${lin.base}/history`);
  const forget = page.locator('main form[action="/history/forget"]:has([name="play"]) button');
  await until("the play", () => forget.count(), () => page.reload());
  report.texts.history = await words(lin);
  await picture(lin, "history");
  for (const form of ["csv", "json"]) {
    const saved = page.waitForEvent("download");
    await page.click(`main a[href="/history/export.${form}"]`);
    const file = await saved;
    report.files[file.suggestedFilename().split(".").at(-1)] = await readFile(await file.path(), "utf8");
  }
  await money(lin, report, "shares");

  note("forget");
  await page.click('header details.menu summary');
  await page.click('header a[href="/history"]');
  await forget.click();
  await page.locator("main .empty").waitFor();
  report.texts.forgotten = await words(lin);
  await page.uncheck('[name="recording"]');
  await page.click('form[action="/history/settings"] button');
  await page.locator("main .notice.done").waitFor();
  await picture(lin, "history-off");
  await money(lin, report, "unheard");

  // Who has canceled hears everything to the end of the month; and nothing is recorded any more.
  note("cancel");
  await page.click('main a[href="/pool"]');
  await page.click('details:has(form[action="/pool/cancel"]) summary');
  await page.click('form[action="/pool/cancel"] button');
  await page.locator('form[action="/pool/join"] button').waitFor();
  report.texts.canceled = await words(lin);
  await picture(lin, "pool-canceled");
  await page.goto(trackPage(lin, report));
  await page.click(".sheet [data-play]");
  await sounds(lin);
  report.onAnotherPage = await hear(lin, 2);
  await page.goto(`${lin.base}/history`);
  report.texts.unrecorded = await words(lin);
}

async function money(lin, report, name) {
  const { page } = lin;
  await page.goto(`${lin.base}/pool`);
  await page.click('main .actions a[href^="/pool/month/"]');
  await page.locator(".crumb").waitFor();
  report.texts[name] = await words(lin);
  await picture(lin, `pool-${name}`);
}

async function statements(ada, report) {
  note("statements");
  const { page } = ada;
  await page.click('nav a[href="/studio"]');
  await page.click('main a[href="/statements"]');
  await page.locator("#address").waitFor();
  report.texts.statements = await words(ada);
  await picture(ada, "pool-statements");
}

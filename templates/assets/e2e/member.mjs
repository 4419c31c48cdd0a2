// From a sign-up to the page of where the money went: an artist puts a track into the listening pool of two instances; a
// listener of the other one pays a month's dues with a wallet of their own, hears the track, looks at what was recorded and
// has it forgotten; somebody who has not paid is told what to do.
import { readFile } from "node:fs/promises";
import { hear, note, picture, seedOf, setting, signUp, sounds, tell, until } from "./visitor.mjs";

await tell(async (report, open) => {
  report.texts = {};
  report.files = {};
  const [ada, lin, max] = await Promise.all([open(setting.artist), open(setting.listener), open(setting.other)]);

  note("sign up");
  const posted = signUp(ada).then(async (words) => {
    report.artistRecovery = words;
    report.artistSeed = await seedOf(ada, `${ada.base}/users/${ada.name}`);
    await post(ada, report);
    await lend(ada, report);
  });
  const joined = signUp(lin).then(async (words) => {
    report.recovery = words;
    report.seed = await seedOf(lin, `${lin.base}/users/${lin.name}`);
    await join(lin, report);
  });
  await Promise.all([posted, joined, signUp(max)]);
  await Promise.all([listen(lin, report), look(max, report)]);
  await Promise.all([history(lin, report), statements(ada, report)]);
});

function main({ page }) {
  return page.locator("main").innerText();
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

// The artist puts the track into the pool.
async function lend(ada, report) {
  note("into the pool");
  const { page } = ada;
  await page.goto(`${ada.base}/studio`);
  await page.click('main a[href="/studio/listens"]');
  await page.click('form[action="/studio/pool"] button');
  await page.locator('form[action="/studio/pool"] input[value="out"]').waitFor({ state: "attached" });
  report.texts.listens = await main(ada);
  await picture(ada, "pool-listens");
}

// The listener joins, and pays the invoice with a node of their own, as somebody at a wallet does.
async function join(lin, report) {
  note("join");
  const { page } = lin;
  await page.click('nav a[href="/library"]');
  await page.click('main a[href="/pool"]');
  await page.click('form[action="/pool/join"] button');
  await page.locator(".invoice").waitFor();
  report.texts.invoice = await main(lin);
  await picture(lin, "pool-invoice");
  const [target, amount, token, identifier] = await page.locator(".invoice dd code").allTextContents();
  const paid = await fetch(`${setting.wallet}/api/v1/payments/${token}/${target}`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ amount, identifier }),
  });
  if (!paid.ok) throw new Error(`the wallet does not pay: ${await paid.text()}`);
  const sent = performance.now();
  // The page moves by itself.
  await page.locator("main .tag.owned").waitFor();
  report.payToGrantMs = performance.now() - sent;
  report.texts.member = await main(lin);
  await picture(lin, "pool-paid");
}

async function follow({ page, base }, ada) {
  await page.goto(base);
  await page.fill("#address", `@${ada.name}@${new URL(ada.base).host}`);
  await page.click(".follow-box button");
  await page.locator(".artistpage").waitFor();
}

async function listen(lin, report) {
  note("listen");
  const { page } = lin;
  await follow(lin, setting.artist);
  await picture(lin, "pool-artist");
  await page.goto(`${lin.base}/music?uri=${encodeURIComponent(report.track)}`);
  report.texts.lent = await main(lin);
  await picture(lin, "pool-track");
  await page.click(".sheet [data-play]");
  report.firstClickMs = await sounds(lin);
  report.start = await hear(lin, 2);
  await page.locator("#player [data-seek]").fill("20");
  await page.waitForFunction(() => !window.audio.seeking && window.audio.currentTime >= 20);
  report.afterSeek = await hear(lin, 31);
  await page.click("#player [data-toggle]");
}

// Somebody who has not paid looks at the same track.
async function look(max, report) {
  note("without a membership");
  const { page } = max;
  await page.goto(`${max.base}/music?uri=${encodeURIComponent(report.track)}`);
  report.texts.outsider = await main(max);
  await picture(max, "pool-outsider");
}

async function history(lin, report) {
  note("history");
  const { page } = lin;
  await page.goto(`${lin.base}/history`);
  await until("the play", () => page.locator('main form[action="/history/forget"]').count(), () => page.reload());
  report.texts.history = await main(lin);
  await picture(lin, "history");
  await page.goto(`${lin.base}/pool`);
  await page.click('main a[href^="/pool/month/"]');
  await page.locator("main meter").waitFor();
  report.texts.shares = await main(lin);
  await picture(lin, "pool-shares");
}

async function statements(ada, report) {
  const { page } = ada;
  await page.goto(`${ada.base}/statements`);
  report.texts.statements = await main(ada);
  await picture(ada, "pool-statements");
}

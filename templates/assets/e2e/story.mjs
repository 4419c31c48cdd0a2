// From two empty browsers to music: an artist posts a track on one instance, a listener on another buys and plays it.
import { hear, note, picture, seedOf, setting, signUp, sounds, tell, until } from "./visitor.mjs";

await tell(async (report, open) => {
  const [ada, lin] = await Promise.all([open(setting.artist), open(setting.listener)]);

  note("sign up");
  await lin.page.goto(lin.base);
  await picture(lin, "landing");
  [report.artistRecovery, report.recovery] = await Promise.all([signUp(ada), signUp(lin)]);
  report.artistSeed = await seedOf(ada, `${ada.base}/users/${ada.name}`);
  report.seed = await seedOf(lin, `${lin.base}/users/${lin.name}`);
  await picture(lin, "timeline-empty");

  await Promise.all([follow(lin, ada), post(ada, report)]);
  await publish(ada, report);
  await buy(lin, report);
  await play(lin, report);
  await release(ada, lin, report);
  await talk(ada, lin, report);
  await rest(ada, lin);
});

async function follow(lin, ada) {
  note("follow");
  const { page } = lin;
  await page.fill("#address", `@${ada.name}@${new URL(ada.base).host}`);
  await page.click(".follow-box button");
  await page.locator(".artistpage").waitFor();
  const agreed = page.locator('.artist-act form[action="/unfollow"] button:has-text("Following")');
  await until("the other server's agreement", () => agreed.count(), () => page.reload());
  await picture(lin, "artist");
}

// The network breaks once during the upload; what was sent is not sent again.
async function post(ada, report) {
  note("upload");
  const { page } = ada;
  await page.click('nav a[href="/upload"]');
  await page.locator("[data-drop]").waitFor();
  await picture(ada, "upload");
  await page.evaluate(() => {
    window.states = [];
    const look = () => {
      for (const row of document.querySelectorAll(".upload")) if (window.states.at(-1) !== row.dataset.state) window.states.push(row.dataset.state);
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-state"] });
  });
  ada.forgiven.push(/net::ERR_.*\/uploads\//);
  const chooser = page.waitForEvent("filechooser");
  await page.click('label[for="files"]');
  await (await chooser).setFiles(setting.audio);
  await page.locator('[data-module="draft"]').waitFor();
  ada.forgiven.pop();
  report.uploadStates = await page.evaluate(() => window.states);

  note("draft");
  const steps = page.locator('[data-module="draft"] [data-step]');
  report.steps = await steps.evaluateAll((all) => all.map((s) => s.dataset.step));
  await page.fill("#title", setting.title);
  await picture(ada, "draft-working");
  await page.locator('[data-module="draft"][data-state="ready"]').waitFor({ timeout: 120_000 });
  report.stepStates = await page.locator('[data-module="draft"] [data-step]').evaluateAll((all) => all.map((s) => s.className));
}

async function publish(ada, report) {
  note("publish");
  const { page } = ada;
  await page.fill("#price", setting.price);
  await page.selectOption("#asset", setting.asset);
  const chooser = page.waitForEvent("filechooser");
  await page.click('label[for="cover"]');
  await (await chooser).setFiles(setting.cover);
  await page.locator("[data-cover-drop] img").waitFor();
  await picture(ada, "draft-ready");
  await page.click("[data-publish]");
  await page.locator(".published").waitFor();
  await picture(ada, "published");
  report.track = await page.locator(".published [data-track]").getAttribute("data-track");
  report.promised = await page.locator(".published .toot .prose").innerText();
}

async function buy(lin, report) {
  note("the post arrives");
  const { page } = lin;
  const post = page.locator(`.post[data-track="${report.track}"]`);
  await page.goto(lin.base);
  await until("the artist's post", () => post.count(), () => page.reload());
  report.announced = await post.locator(".prose").innerText();
  await picture(lin, "timeline");
  await post.locator("h2 a").click();
  await page.locator(".sheet").waitFor();
  report.coverDrawn = await page.locator(".sheet img.cover").evaluate(async (i) => (await i.decode(), i.naturalWidth));
  await picture(lin, "track");
  // What strangers may hear: the preview.
  await page.click(".sheet [data-play]");
  await sounds(lin);
  report.preview = await hear(lin, 1);
  await page.click("#player [data-toggle]");

  note("buy");
  await page.click(".sheet-buy a.button");
  await page.locator('[data-key-words][data-state="match"]').waitFor();
  await picture(lin, "buy");
  await page.click(".buy-go button");
  await page.locator("form.pay button").waitFor();
  await picture(lin, "order-waiting");
  const paid = performance.now();
  await page.click("form.pay button");
  await page.locator('.orderpage [data-module="order"][data-state="yours"]').waitFor();
  report.payToGrantMs = performance.now() - paid;
  await picture(lin, "order-yours");
}

async function play(lin, report) {
  note("play");
  const { page } = lin;
  await page.evaluate(() => {
    window.sounded = undefined;
    window.stays = true;
  });
  await page.click(".order-play [data-play]");
  report.firstClickMs = await sounds(lin);
  report.start = await hear(lin, 2);
  report.duration = await page.evaluate(() => window.audio.duration);

  await page.locator("#player [data-seek]").fill("20");
  await page.waitForFunction(() => !window.audio.seeking && window.audio.currentTime >= 20);
  report.afterSeek = await hear(lin, 1);
  await page.locator("#player [data-seek]").fill("3");
  await page.waitForFunction(() => !window.audio.seeking && window.audio.currentTime < 10);
  report.afterSeekBack = await hear(lin, 0.5);

  note("walk");
  await page.click('nav a[href="/library"]');
  await page.locator(`main .row[data-track="${report.track}"][data-playing]`).waitFor();
  report.stays = await page.evaluate(() => window.stays && !window.audio.paused);
  report.onAnotherPage = await hear(lin, 1);
  await picture(lin, "library-playing");
  // Half of the track makes it a play.
  const at = await page.evaluate(() => window.audio.currentTime);
  await page.waitForFunction((at) => window.audio.currentTime > at + 11, at);
  await page.click("#player [data-toggle]");
  await page.waitForFunction(() => window.audio.paused);
}

// The artist makes a release of the track, which the listener gets for nothing.
async function release(ada, lin, report) {
  note("release");
  await ada.page.goto(`${ada.base}/releases/new`);
  await ada.page.fill("#title", "Boiler Songs");
  await ada.page.fill(".places .place", "1");
  await ada.page.fill("#price", "0");
  await ada.page.click('button[value="publish"]');
  await ada.page.waitForURL(/\/albums\//);
  report.release = new URL(ada.page.url()).origin + new URL(ada.page.url()).pathname;
  await picture(ada, "release");
  const { page } = lin;
  await page.goto(`${lin.base}/release?uri=${encodeURIComponent(report.release)}`);
  await page.click(".album-buy a.button");
  await page.locator('[data-key-words][data-state="match"]').waitFor();
  await picture(lin, "buy-release");
  await page.click('.buy-go button:not([name="gift"])');
  await page.locator('.orderpage [data-module="order"][data-state="yours"]').waitFor();
  await page.goto(`${lin.base}/release?uri=${encodeURIComponent(report.release)}`);
  await page.locator("[data-module=zip] button").first().waitFor();
  await picture(lin, "release-yours");
}

// The listener says something about the track and likes it; the artist reads that and answers; a stranger is led home.
async function talk(ada, lin, report) {
  note("talk");
  const tracks = `${lin.base}/music?uri=${encodeURIComponent(report.track)}`;
  await lin.page.goto(tracks);
  await lin.page.fill("#comment", "What a sound!");
  await lin.page.click('.talk-form button[type="submit"]');
  await lin.page.locator('.comment:has-text("What a sound!")').waitFor();
  await lin.page.click('form[action="/react"]:has(input[value="like"]) button');
  await lin.page.locator('.talk-acts button[aria-pressed="true"]').waitFor();
  await ada.page.goto(ada.base + "/notices");
  const told = ada.page.locator('.comment:has-text("answered you"):has-text("What a sound!")');
  await until("the artist's notice", () => told.count(), () => ada.page.reload());
  await picture(ada, "notices");
  await told.locator('a[href*="#c-"]').first().click();
  const comment = ada.page.locator('.talk .comment:has-text("What a sound!")');
  await comment.locator("summary").click();
  await comment.locator("textarea").fill("Thank you.");
  await comment.locator('form[action="/comments"] button').click();
  await ada.page.locator('.comment:has-text("Thank you.")').waitFor();
  await until("the like", () => ada.page.locator('.facts:has-text("1 like")').count(), () => ada.page.reload());
  await picture(ada, "talk");
  const answer = lin.page.locator('.comment.in1:has-text("Thank you.")');
  await until("the answer", () => answer.count(), () => lin.page.goto(tracks));
  await picture(lin, "talk-remote");

  // Somebody without an account here, on the artist's server: the button leads to the own one.
  note("away");
  const seen = lin.strangers.length;
  // Both servers have one host here, so that one's answer to a stranger would end the visit at the other.
  const kept = await lin.context.cookies();
  await lin.context.clearCookies();
  const stranger = await lin.context.newPage();
  await stranger.goto(`${ada.base}/@${ada.name}`);
  await stranger.click("details.elsewhere summary");
  await stranger.fill("#handle", `@${lin.name}@${new URL(lin.base).host}`);
  await stranger.click('details.elsewhere button[value="Follow"]');
  await stranger.waitForURL((u) => u.origin === lin.base && u.pathname === "/login");
  await lin.context.clearCookies();
  await lin.context.addCookies(kept);
  await stranger.goto(lin.base + new URL(stranger.url()).searchParams.get("next"));
  await stranger.locator(".artistpage").waitFor();
  report.away = stranger.url();
  await stranger.close();
  lin.strangers.length = seen; // the visit was meant
}

// The pages that the story does not pass by itself.
async function rest(ada, lin) {
  if (!setting.pictures) return;
  note("pictures");
  for (const [visitor, path, name] of [
    [ada, "/studio", "studio"], [ada, "/settings", "settings"], [ada, "/admin", "admin"], [ada, "/about", "about"],
    [lin, "/nowhere", "failure"],
  ]) {
    visitor.forgiven.push(/404/);
    await visitor.page.goto(visitor.base + path);
    await picture(visitor, name);
  }
}

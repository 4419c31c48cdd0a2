// A fan from another app buys at the artist's instance, without an account there. Each part is another day: "ask" ends with
// an invoice, "play" begins when it was paid, "stay" is another browser, where the guest makes an account in the end.
import { hear, note, picture, setting, sounds, tell, until, writeDown } from "./visitor.mjs";

const parts = { ask, play, stay };

await tell(async (report, open) => {
  const fan = await open(setting.guest);
  await parts[setting.part](fan, report);
});

async function ask(fan, report) {
  const { page } = fan;
  await page.goto(setting.track);
  await picture(fan, "guest-track");
  await page.click('a[href^="/guest?"]');
  await enter(fan, report);
  note("make the key");
  await picture(fan, "guest-keys");
  await page.click('[data-module="guest"] [data-step="form"] button[type="submit"]');
  report.recovery = await writeDown(fan, "guest");
  note("buy");
  await page.locator('[data-key-words][data-state="match"]').waitFor();
  await picture(fan, "guest-buy");
  await page.click(".buy-go button");
  await page.locator(".orderpage").waitFor();
  report.order = new URL(page.url()).pathname;
  await page.locator('.orderpage [data-module="order"][data-state="waiting"]').waitFor();
  await picture(fan, "guest-order-waiting");
}

// From the page that asks for the address, through the fan's own app, to being let in.
async function enter(fan, report) {
  const { page } = fan;
  note("ask for the link");
  await page.fill("#handle", setting.handle);
  await picture(fan, "guest");
  const before = (await links()).length;
  await page.click('form[action="/guest"] button');
  await page.locator(".notice.done").waitFor();
  await picture(fan, "guest-sent");
  let all = [];
  await until("the direct message", async () => (all = await links()).length > before, () => new Promise((go) => setTimeout(go, 50)));
  const link = all.at(-1);
  report.links = [...(setting.links ?? []), link];

  note("follow the link");
  await page.goto(link);
  await picture(fan, "guest-link");
  await page.click(".form button.primary");
  await page.locator('[data-module="guest"]').waitFor();
  // The module comes after the page.
  await page.waitForLoadState("networkidle");
}

// The links in the direct messages that the fan's own server has taken.
async function links() {
  const answer = await (await fetch(`${setting.control}/received`, { method: "POST", body: "{}" })).json();
  return answer.received
    .filter((r) => r.kind === "Create" && r.actor === `${setting.guest.base}/actor`)
    .map((r) => /href="([^"]+\/guest\/[^"]+)"/.exec(r.content)?.[1])
    .filter(Boolean);
}

async function play(fan, report) {
  note("play");
  const { page } = fan;
  await page.goto(fan.base + setting.order);
  await page.locator('.orderpage [data-module="order"][data-state="yours"]').waitFor();
  await picture(fan, "guest-order-yours");
  await page.click(".order-play [data-play]");
  report.firstClickMs = await sounds(fan);
  report.start = await hear(fan, 2);
  await page.click('nav a[href="/library"]');
  await page.locator(`main .row[data-track="${setting.track}"][data-playing]`).waitFor();
  await picture(fan, "guest-library");
}

async function stay(fan, report) {
  const { page } = fan;
  await page.goto(`${fan.base}/guest?track=${encodeURIComponent(setting.track)}`);
  await enter(fan, report);
  note("open the key with the recovery key");
  await page.fill("#recovery", `AAAA ${setting.recovery.slice(1).join(" ")}`);
  await page.click('[data-module="guest"] [data-step="form"] button[type="submit"]');
  await page.locator('[data-error="recovery"]').waitFor();
  await picture(fan, "guest-open");
  await page.fill("#recovery", setting.recovery.join(" ").toLowerCase());
  await page.click('[data-module="guest"] [data-step="form"] button[type="submit"]');
  await page.locator(".trackpage, .buypage, .sheet").first().waitFor();
  await hearLibrary(fan, report, "start");

  note("make an account");
  await page.click('nav a[href="/signup"]');
  await page.fill("#name", fan.name);
  await page.fill("#display", fan.display);
  await page.fill("#passphrase", fan.passphrase);
  await page.fill("#again", fan.passphrase);
  await picture(fan, "guest-signup");
  await page.click('[data-step="form"] button[type="submit"]');
  await writeDown(fan, "guest-signup");
  await page.waitForURL((url) => url.pathname === "/");
  await page.locator(".follow-box").waitFor();
  await hearLibrary(fan, report, "onAnotherPage");
}

async function hearLibrary(fan, report, as) {
  const { page } = fan;
  await page.goto(`${fan.base}/library`);
  await page.evaluate(() => (window.sounded = undefined));
  await page.click(`main .row[data-track="${setting.track}"] [data-play]`);
  await sounds(fan);
  report[as] = await hear(fan, 1);
}

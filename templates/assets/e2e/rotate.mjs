// A listener takes a new key in the browser, waits until the seller has granted anew what was bought, and plays it.
import { hear, note, picture, setting, sounds, tell } from "./visitor.mjs";

await tell(async (report, open) => {
  const lin = await open(setting.listener);
  const { page } = lin;
  note("log in");
  await page.goto(`${lin.base}/login`);
  await page.fill("#name", lin.name);
  await page.fill("#passphrase", lin.passphrase);
  await page.click('form[data-module="login"] button[type="submit"]');
  await page.waitForURL((url) => url.pathname === "/");
  note("a new key");
  await page.goto(`${lin.base}/settings/keys`);
  await page.check('form[data-module="rotate"] input[type="checkbox"]');
  await page.click('form[data-module="rotate"] button[type="submit"]');
  await page.waitForURL((url) => url.searchParams.get("done") === "rotated");
  for (let i = 0; i < 100; i++) {
    report.page = await page.locator("main").innerText();
    if (report.page.includes("1 of 1 granted anew.")) break;
    await page.waitForTimeout(200);
    await page.goto(`${lin.base}/settings/keys`);
  }
  await picture(lin, "keys");
  note("play");
  await page.goto(`${lin.base}/library`);
  await page.click(`main .row[data-track="${setting.track}"] [data-play]`);
  report.firstClickMs = await sounds(lin);
  report.start = await hear(lin, 2);
});

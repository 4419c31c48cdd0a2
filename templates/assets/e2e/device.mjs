// A listener at a device, new or old, plays what was bought: either there is sound, or the player says why not.
import { hear, note, picture, setting, sounds, tell } from "./visitor.mjs";

await tell(async (report, open) => {
  const lin = await open(setting.listener);
  for (const words of setting.forgive ?? []) lin.forgiven.push(new RegExp(words));
  const { page } = lin;
  if (setting.fresh) {
    note("log in");
    await page.goto(`${lin.base}/login`);
    await page.fill("#name", lin.name);
    await page.fill("#passphrase", lin.passphrase);
    await page.click('form[data-module="login"] button[type="submit"]');
    await page.waitForURL((url) => url.pathname === "/");
  }
  note("library");
  await page.goto(`${lin.base}/library`);
  report.page = await page.locator("main").innerText();
  if (!setting.absent) {
    await page.click(`main .row[data-track="${setting.track}"] [data-play]`);
    const said = page.locator('#player [data-words][data-kind="error"]');
    const first = await Promise.race([
      said.waitFor().then(() => "said"), page.waitForFunction(() => window.audio?.currentTime > 0).then(() => "sound"),
    ]);
    if (first === "said") report.said = await said.evaluate((e) => e.firstChild.textContent);
    else {
      report.firstClickMs = await sounds(lin);
      report.start = await hear(lin, 2);
    }
  }
  await picture(lin, `device-${setting.name}`);
});

// From a click to sound with a cold player: each time in a browser of its own, which has just logged in and in which
// nothing lies but the seed; no module, no piece of music, no answer of a proxy.
import { note, setting, sounds, tell } from "./visitor.mjs";

await tell(async (report, open) => {
  report.clicks = [];
  for (let i = 0; i < setting.clicks; i++) {
    const lin = await open({ ...setting.listener, profile: `${setting.listener.profile}-${i}` });
    const { page, context } = lin;
    await page.goto(`${lin.base}/login`);
    await page.fill("#name", lin.name);
    await page.fill("#passphrase", lin.passphrase);
    await page.click('form[data-module="login"] button[type="submit"]');
    await page.waitForURL((url) => url.pathname === "/");
    await page.goto("about:blank");
    const cdp = await context.newCDPSession(page);
    await cdp.send("Network.clearBrowserCache");
    await page.goto(`${lin.base}/music?uri=${encodeURIComponent(setting.track)}`, { waitUntil: "load" });
    await page.click(".sheet [data-play]");
    report.clicks.push(await sounds(lin));
    await context.close();
  }
  note(report.clicks.map(Math.round).join(" "));
});

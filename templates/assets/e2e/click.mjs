// From a click to sound, over and over: each time the page is loaded anew, the browser has its modules and was here before.
import { note, setting, sounds, tell } from "./visitor.mjs";

await tell(async (report, open) => {
  const lin = await open(setting.listener);
  const { page } = lin;
  report.clicks = [];
  const once = async () => {
    await page.goto(`${lin.base}/music?uri=${encodeURIComponent(setting.track)}`, { waitUntil: "networkidle" });
    await page.click(".sheet [data-play]");
    return sounds(lin);
  };
  await once();
  for (let i = 0; i < setting.clicks; i++) report.clicks.push(await once());
  note(report.clicks.map(Math.round).join(" "));
});

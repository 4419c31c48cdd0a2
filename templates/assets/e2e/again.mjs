// A listener comes back another day and plays what was bought, whoever is still there to help.
import { hear, note, picture, setting, sounds, tell } from "./visitor.mjs";

await tell(async (report, open) => {
  const lin = await open(setting.listener);
  for (const words of setting.forgive ?? []) lin.forgiven.push(new RegExp(words));
  const { page } = lin;
  note("library");
  await page.goto(`${lin.base}/library`);
  await page.click(`main .row[data-track="${setting.track}"] [data-play]`);
  report.firstClickMs = await sounds(lin);
  report.start = await hear(lin, 2);
  await page.locator("#player [data-seek]").fill("20");
  await page.waitForFunction(() => !window.audio.seeking && window.audio.currentTime >= 20);
  report.afterSeek = await hear(lin, 1);
  await picture(lin, "library-seller-down");

  note("keep");
  await page.click(`main .row[data-track="${setting.track}"] .row-title`);
  const files = page.locator(".downloads button");
  await files.first().waitFor();
  const arriving = page.waitForEvent("download");
  await files.first().click();
  const file = await arriving;
  report.fileName = file.suggestedFilename();
  await file.saveAs(setting.keep);
  await page.locator(".downloads [role=status]:has-text('Saved')").waitFor();
  await picture(lin, "track-kept");

  note("keep all");
  // The window that asks for a place cannot be answered here.
  await page.addInitScript(() => delete window.showSaveFilePicker);
  await page.goto(`${lin.base}/release?uri=${encodeURIComponent(setting.release)}`);
  const all = page.locator("[data-module=zip] button[data-format=mp3]");
  await all.waitFor();
  const coming = page.waitForEvent("download");
  await all.click();
  const archive = await coming;
  report.archiveName = archive.suggestedFilename();
  await archive.saveAs(setting.keepAll);
  await picture(lin, "release-kept");

  // A page that is left says what was heard on it.
  await page.goto(`${lin.base}/about`);
});

// A person at a real browser: a profile of their own, what the browser complains of, pictures of what they see.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const flags = [
  "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
];
const widths = { 390: 844, 1280: 860 };

/** The story's settings, from standard input. */
export const setting = JSON.parse(readFileSync(0, "utf8"));

/** Says on standard error where the story is. */
export const note = (text) => process.stderr.write(`${(performance.now() / 1000).toFixed(2)}s ${text}\n`);

/** Opens the browser of a person of the settings: {base, name, display, passphrase, invite, profile}. */
export async function open(who) {
  const context = await chromium.launchPersistentContext(who.profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: flags, viewport: { width: 1280, height: widths[1280] }, reducedMotion: "reduce", locale: "en-US",
  });
  context.setDefaultTimeout(45_000);
  await context.addInitScript(listen);
  const page = context.pages()[0] ?? (await context.newPage());
  const visitor = { ...who, context, page, problems: [], strangers: [], forgiven: [] };
  const complain = (text) => {
    const forgiven = visitor.forgiven.some((f) => f.test(text));
    if (!forgiven) visitor.problems.push(`${new URL(page.url()).pathname}: ${text}`);
  };
  page.on("pageerror", (e) => complain(String(e)));
  page.on("console", (m) => {
    if (m.type() === "error" || m.type() === "warning") complain(`${m.type()}: ${m.text()} (${m.location().url})`);
  });
  context.on("request", (r) => {
    const url = new URL(r.url());
    if (/^https?:$/.test(url.protocol) && url.origin !== who.base) visitor.strangers.push(r.url());
  });
  return visitor;
}

// In the page, before its own code: which element plays, when it was asked to, when it did.
function listen() {
  window.clicks = [];
  document.addEventListener("click", (e) => {
    if (e.target.closest?.("[data-play],[data-toggle]")) window.clicks.push(e.timeStamp);
  }, true);
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    window.audio = this;
    if (!this.watched) {
      this.watched = true;
      let playing = false;
      this.addEventListener("playing", () => {
        playing = true;
        const look = () => {
          if (playing && this.currentTime > 0) window.sounded ??= performance.now();
          else if (playing) setTimeout(look, 1);
        };
        look();
      });
      for (const type of ["pause", "emptied", "waiting"]) this.addEventListener(type, () => (playing = false));
    }
    return play.call(this);
  };
}

/** Pictures of the page as it is, on a phone and on a desk, when somebody wants them. */
export async function picture({ page }, name) {
  if (!setting.pictures) return;
  mkdirSync(setting.pictures, { recursive: true });
  const was = page.viewportSize();
  for (const [width, height] of Object.entries(widths)) {
    await page.setViewportSize({ width: Number(width), height });
    await page.evaluate(async () => {
      for (const image of document.images) image.loading = "eager";
      await Promise.all([...document.images].map((i) => i.decode().catch(() => undefined)));
      await new Promise((ok) => requestAnimationFrame(() => requestAnimationFrame(ok)));
    });
    await page.screenshot({ path: join(setting.pictures, `${name}-${width}.png`), fullPage: true });
  }
  await page.setViewportSize(was);
}

/** Looks at a page anew until it shows what is waited for. */
export async function until(what, shown, look) {
  for (const end = performance.now() + 45_000; !(await shown()); await look()) {
    if (performance.now() > end) throw new Error(`in 45 seconds there was not ${what}`);
  }
}

/** Signs up by hand: writes the recovery key down, and types two groups of it. Gives the groups. */
export async function signUp(visitor) {
  const { page } = visitor;
  await page.goto(`${visitor.base}/signup?invite=${visitor.invite}`);
  await page.fill("#name", visitor.name);
  await page.fill("#display", visitor.display);
  await page.fill("#passphrase", visitor.passphrase);
  await page.fill("#again", visitor.passphrase);
  await picture(visitor, "signup");
  await page.click('[data-step="form"] button[type="submit"]');
  const groups = await writeDown(visitor, "signup");
  await page.waitForURL((url) => url.pathname === "/");
  await page.locator(".follow-box").waitFor();
  return groups;
}

/** Writes the recovery key down that the page shows, and types two groups of it. Gives the groups. */
export async function writeDown(visitor, name) {
  const { page } = visitor;
  await page.locator('[data-step="show"]').waitFor();
  const groups = await page.locator("[data-groups] li").allTextContents();
  await picture(visitor, `${name}-recovery`);
  await page.click("[data-written]");
  const labels = await page.locator("[data-asked-label]").allTextContents();
  // A slip of the pen is noticed before the account exists.
  const asked = page.locator("[data-asked]");
  await asked.nth(0).fill("AAAA");
  await asked.nth(1).fill("AAAA");
  await page.click('[data-step="confirm"] button[type="submit"]');
  await page.locator('[data-step="confirm"] [data-error="asked"]').waitFor();
  await picture(visitor, `${name}-confirm`);
  for (const [i, label] of labels.entries()) await asked.nth(i).fill(groups[Number(/\d+/.exec(label)[0]) - 1]);
  await page.click('[data-step="confirm"] button[type="submit"]');
  return groups;
}

/** The listener seed that this browser keeps, as hex: read from its own storage, as only its owner can. */
export function seedOf({ page }, actor) {
  return page.evaluate((actor) => new Promise((ok, no) => {
    const request = indexedDB.open("antiphon", 1);
    request.onerror = () => no(request.error);
    request.onsuccess = () => {
      const read = request.result.transaction("seeds").objectStore("seeds").get(actor);
      read.onerror = () => no(read.error);
      read.onsuccess = () => {
        request.result.close();
        ok(Array.from(read.result.seed, (b) => b.toString(16).padStart(2, "0")).join(""));
      };
    };
  }), actor);
}

/** Waits until the sound that was clicked for is there; the milliseconds from the click to it. */
export async function sounds({ page }) {
  const took = await page.waitForFunction(() => {
    const said = document.querySelector("#player [data-words]");
    if (said?.dataset.kind === "error") return said.textContent;
    return window.sounded && window.clicks.length && window.sounded - window.clicks.at(-1);
  });
  const value = await took.jsonValue();
  if (typeof value === "string") throw new Error(`the player says: ${value}`);
  return value;
}

/** Lets the music go on for some seconds of its own time and gives how far it came and how loud it was: the root mean square. */
export async function hear({ page }, seconds) {
  return page.evaluate(async (seconds) => {
    const { audio } = window;
    if (!audio.analyser) {
      const context = new AudioContext();
      audio.analyser = context.createAnalyser();
      context.createMediaElementSource(audio).connect(audio.analyser);
      audio.analyser.connect(context.destination);
      await context.resume();
    }
    const samples = new Float32Array(audio.analyser.fftSize);
    const from = audio.currentTime;
    let sum = 0;
    let count = 0;
    await new Promise((ok, no) => {
      const look = () => {
        audio.analyser.getFloatTimeDomainData(samples);
        for (const s of samples) sum += s * s;
        count += samples.length;
        if (audio.currentTime - from > seconds) ok();
        else if (audio.error || audio.ended) no(new Error(audio.error?.message ?? "the track ended"));
        else setTimeout(look, 20);
      };
      look();
    });
    return { from, advanced: audio.currentTime - from, rms: Math.sqrt(sum / count) };
  }, seconds);
}

/** Runs a story and writes its report as JSON; a story that fails shows the pages on which it did. */
export async function tell(story) {
  const visitors = [];
  const report = {};
  try {
    await story(report, async (who) => {
      const visitor = await open(who);
      visitors.push(visitor);
      return visitor;
    });
  } catch (error) {
    process.exitCode = 1;
    note(String(error?.stack ?? error));
    for (const v of visitors) {
      const text = await v.page.locator("body").innerText({ timeout: 2000 }).catch(String);
      note(`${v.name} at ${v.page.url()}\n${text.slice(0, 2000)}`);
      await picture(v, `failed-${v.name}`).catch(() => undefined);
    }
  }
  report.problems = visitors.flatMap((v) => v.problems);
  report.strangers = visitors.flatMap((v) => v.strangers);
  for (const v of visitors) await v.context.close();
  process.stdout.write(JSON.stringify(report) + "\n");
}

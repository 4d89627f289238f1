// Opens pages in Debian's Chromium as readers do and prints what was seen, as JSON.
// node look.mjs OUT PAGE...; pictures and PDFs are left in the folder OUT.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const SIZES = { phone: [390, 844], laptop: [1366, 768] };
const TABS = 400;

async function open(browser, file, size, colorScheme) {
  const [width, height] = SIZES[size];
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion: "reduce" });
  const asked = [];
  const faults = [];
  await context.route("**/*", (route) => {
    const url = route.request().url();
    if (url === `file://${file}`) return route.continue();
    asked.push(url.slice(0, 80));
    return route.abort();
  });
  const page = await context.newPage();
  page.on("console", (said) => said.type() === "error" && faults.push(said.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(`file://${file}`);
  return { context, page, asked, faults };
}

async function accessible(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const faults = found.violations.map(({ id, impact, nodes }) => ({
    id, impact, n: nodes.length, first: nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`),
  }));
  return { axe: faults, rules: found.violations.length + found.passes.length };
}

// How bright paper and ink are, 0 to 1; paper without a colour is the white of a window.
const tones = () => {
  const light = (colour) => {
    const canvas = document.createElement("canvas").getContext("2d");
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return alpha === 0 ? 1 : (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
  };
  const body = getComputedStyle(document.body);
  return { paper: light(body.backgroundColor), ink: light(body.color) };
};

// Everything that Tab reaches, in turn: what it is, and whether a reader sees where the focus is.
async function keyboard(page) {
  const stops = [];
  for (let k = 0; k < TABS; k++) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const at = document.activeElement;
      if (!at || at === document.body) return null;
      const box = at.getBoundingClientRect();
      const style = getComputedStyle(at);
      const first = !at.dataset.seen;
      at.dataset.seen = "yes";
      return {
        first, tag: at.tagName.toLowerCase(), text: at.textContent.trim().slice(0, 40),
        ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
        inside: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
      };
    });
    if (!stop || !stop.first) break;
    stops.push(stop);
  }
  return stops;
}

async function skips(page) {
  await page.keyboard.press("Tab");
  const link = await page.evaluate(() => document.activeElement.getAttribute("href"));
  await page.keyboard.press("Enter");
  const target = await page.evaluate(() => document.activeElement.tagName.toLowerCase());
  return { link, target };
}

async function unfolds(page) {
  const n = await page.locator("details").count();
  const opened = [];
  for (let k = 0; k < n; k++) {
    const summary = page.locator("details > summary").nth(k);
    const before = await summary.evaluate((at) => at.parentElement.open);
    await summary.focus();
    await page.keyboard.press("Enter");
    opened.push((await summary.evaluate((at) => at.parentElement.open)) !== before);
  }
  return opened;
}

async function printed(page, out, name) {
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  const hidden = await page.evaluate(() => {
    const folded = [...document.querySelectorAll("details > :not(summary)")];
    return folded.filter((at) => at.getBoundingClientRect().height === 0).length;
  });
  const pdf = await page.pdf({ path: path.join(out, `${name}.pdf`), format: "A4" });
  return { hidden, bytes: pdf.length, ...(await page.evaluate(tones)) };
}

async function look(browser, file, out) {
  const name = path.basename(file, ".html");
  const seen = { page: name, asked: [], faults: [], views: {} };
  for (const [size, scheme] of [["phone", "dark"], ["laptop", "light"]]) {
    const { context, page, asked, faults } = await open(browser, file, size, scheme);
    const view = await page.evaluate(() => {
      const most = document.documentElement.clientWidth;
      const over = [...document.querySelectorAll("body *")].filter((at) => at.getBoundingClientRect().right > most + 1);
      return { width: document.documentElement.scrollWidth, most, wide: over.slice(0, 5).map((at) => at.outerHTML.slice(0, 80)) };
    });
    Object.assign(view, await page.evaluate(tones), await accessible(page));
    await page.screenshot({ path: path.join(out, `${name}-${size}-${scheme}.png`), fullPage: true });
    seen.views[`${size} ${scheme}`] = view;
    seen.asked.push(...asked);
    seen.faults.push(...faults);
    await context.close();
  }
  const { context, page } = await open(browser, file, "laptop", "light");
  seen.stoppable = await page.locator("a, summary, [tabindex='0']").filter({ visible: true }).count();
  seen.stops = await keyboard(page);
  await page.reload();
  seen.skip = await skips(page);
  seen.unfolds = await unfolds(page);
  await page.reload();
  seen.printed = await printed(page, out, name);
  await context.close();
  return seen;
}

const [out, ...files] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
const all = [];
for (const file of files) all.push(await look(browser, path.resolve(file), path.resolve(out)));
await browser.close();
console.log(JSON.stringify(all));

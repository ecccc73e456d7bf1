// The little that a browser test needs: tests in order, a watched page, axe, and a report that says what ran.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Debian's Chromium as root without a network: sandbox off, nothing that phones home. */
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"];
/** How long anything may take to appear on a loaded machine. */
export const PATIENCE_MS = 20_000;

export const launch = (executablePath) => chromium.launch({ executablePath, args: FLAGS });

const tests = [];
export function test(name, run) {
  tests.push({ name, run });
}
export function assert(truth, what) {
  if (!truth) throw new Error(what);
}
export function equal(given, expected, what) {
  const [a, b] = [JSON.stringify(given), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: expected ${b}, got ${a}`);
}

/** A browser of its own for one person; collects everything that must not happen. */
export class Visit {
  static async open(browser, base, options = {}) {
    const visit = new Visit();
    visit.base = base;
    visit.wrong = [];
    visit.context = await browser.newContext({ viewport: { width: 1280, height: 860 }, colorScheme: "light", ...options });
    visit.context.setDefaultTimeout(PATIENCE_MS);
    visit.page = await visit.context.newPage();
    visit.page.on("console", (message) => ["error", "warning"].includes(message.type()) && visit.note(`console: ${message.text()}`));
    visit.page.on("pageerror", (error) => visit.note(`page: ${error.message}`));
    visit.page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(base) && !url.startsWith("data:") && !url.startsWith("blob:")) visit.note(`request to ${url}`);
    });
    visit.page.on("dialog", (dialog) => {
      visit.note(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    return visit;
  }
  /** Complaints that a test provokes on purpose. */
  expected = null;
  note(what) {
    if (!this.expected?.test(what)) this.wrong.push(what);
  }
  async go(path) {
    await this.page.goto(this.base + path);
  }
  async signIn(user, password) {
    await this.go("/");
    await this.page.getByLabel("Name", { exact: true }).fill(user);
    await this.page.getByLabel("Password", { exact: true }).fill(password);
    await this.page.getByRole("button", { name: "Sign in", exact: true }).click();
    await this.page.getByRole("navigation", { name: "Screens" }).waitFor();
  }
  heading(text) {
    return this.page.getByRole("heading", { level: 1, name: text }).waitFor();
  }
  /** Waits until nothing on the page says that it is loading. */
  async settled() {
    await this.page.locator("h1").first().waitFor();
    await this.page.waitForFunction(() => !document.querySelector('[aria-busy="true"]'));
  }
  /** Problems that axe finds, in words. */
  async axe() {
    await this.page.evaluate((source) => {
      // injected by the test, not by the page: the page's own policy stays as it is
      if (!("axe" in window)) new Function(source).call(window);
    }, axe);
    return this.page.evaluate(async () => {
      const found = await window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
      return found.violations.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.target.join(" ")} (${(node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? ""})`).join("; ")}`);
    });
  }
  async close() {
    await this.context.close();
    equal(this.wrong, [], "console errors, foreign requests, dialogs");
  }
}

/** Runs every test and says how it went; gives the number of failures. */
export async function runAll(only, out) {
  let failures = 0;
  const begun = Date.now();
  const chosen = tests.filter(({ name }) => !only || name.includes(only));
  for (const { name, run } of chosen) {
    const start = Date.now();
    try {
      await run();
      console.log(`ok   ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failures++;
      console.log(`FAIL ${name}: ${error.message}`);
      await out?.(name);
    }
  }
  console.log(`ui: ${chosen.length - failures} of ${chosen.length} browser tests passed in ${((Date.now() - begun) / 1000).toFixed(0)} s`);
  return failures;
}

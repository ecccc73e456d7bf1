// usage: VEDETTE_BIN=target/debug/vedette node e2e/run.mjs [part of a test's name]
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch, runAll } from "./harness.mjs";
import { Server } from "./server.mjs";
import { defineLive } from "./live.mjs";
import { defineMany } from "./many.mjs";
import { defineOpenid } from "./openid.mjs";
import { defineRespond } from "./respond.mjs";
import { define } from "./tests.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const binary = process.env.VEDETTE_BIN ?? join(root, "target/debug/vedette");
const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";
for (const file of [binary, chromium]) {
  if (!existsSync(file)) {
    console.log(`ui: no browser tests, there is no ${file}`);
    process.exit(0);
  }
}

const server = await Server.start(binary, [join(root, "lab/demo/attack.scap.gz")]);
let failures = 1;
let browser;
try {
  await server.people();
  await server.join("e2e-node");
  const found = await server.api("GET", "/findings?from=2000-01-01T00:00:00Z&order=severity&limit=1");
  server.first = found.items[0];
  if (!server.first) throw new Error("the recording gave no findings");
  // a little before the recording begins, so that every screen sees all of it
  const oldest = await server.api("GET", "/findings?from=2000-01-01T00:00:00Z&order=oldest&limit=1");
  server.from = new Date(Date.parse(oldest.items[0].time) - 60_000).toISOString();
  server.policy = "- name: e2e-policy\n  mode: audit\n  scope:\n    namespaces: [shop]\n  detectors: [drift]\n";
  browser = await launch(chromium);
  mkdirSync(join(here, "out"), { recursive: true });
  define({ server, browser });
  defineRespond({ server, browser });
  defineOpenid({ binary, browser });
  defineLive({ binary, browser });
  defineMany({ server, browser });
  failures = await runAll(process.argv[2], async (name) => {
    const pages = browser.contexts().flatMap((context) => context.pages());
    for (const [index, page] of pages.entries()) {
      const picture = join(here, "out", `${name.replaceAll(/\W+/g, "-").slice(0, 60)}-${index}.png`);
      await page.screenshot({ path: picture }).catch(() => {});
    }
    for (const context of browser.contexts()) await context.close();
  });
} finally {
  await browser?.close();
  await server.stop();
}
process.exit(failures ? 1 : 0);

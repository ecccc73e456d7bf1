// Pictures for README and docs: the real binary, a real recording, a real browser.
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Visit, launch } from "./harness.mjs";
import { PASSWORDS, Server } from "./server.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const out = join(root, "docs/images");
mkdirSync(out, { recursive: true });

const recordings = ["lab/recordings/restricted.scap.gz", "lab/recordings/playground.scap.gz"].map((file) => join(root, file)).filter(existsSync);
const server = await Server.start(process.env.VEDETTE_BIN ?? join(root, "target/debug/vedette"), recordings);
const browser = await launch(process.env.CHROMIUM ?? "/usr/bin/chromium");
try {
  await server.people();
  const ask = (order) => server.api("GET", `/findings?from=2000-01-01T00:00:00Z&order=${order}&limit=1`);
  const worst = (await ask("severity")).items[0];
  const from = new Date(Date.parse((await ask("oldest")).items[0].time) - 5_000).toISOString();
  const to = new Date(Date.parse((await ask("newest")).items[0].time) + 5_000).toISOString();
  const range = `from=${from}&to=${to}`;
  const views = [
    ["home", `/?${range}`, "light"],
    ["events", `/events?${range}`, "light"],
    ["event", `/events/${worst.id}?${range}`, "light"],
    ["tree", `/events/${worst.id}/tree?${range}`, "dark"],
    ["insights", `/insights?${range}`, "dark"],
    ["activity", `/activity?tab=records&${range}`, "dark"],
    ["rule", `/rules/${encodeURIComponent(worst.rule)}?${range}`, "light"],
  ];
  for (const theme of ["light", "dark"]) {
    const visit = await Visit.open(browser, server.base, { viewport: { width: 1280, height: 800 }, colorScheme: theme });
    await visit.signIn("admin", PASSWORDS.admin);
    for (const [name, path, wanted] of views) {
      if (wanted !== theme) continue;
      await visit.go(path);
      await visit.settled();
      await visit.page.screenshot({ path: join(out, `${name}.png`) });
      console.log(`docs/images/${name}.png`);
    }
    await visit.close();
  }
} finally {
  await browser.close();
  await server.stop();
}

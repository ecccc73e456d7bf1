/** The design language stays in one file: components name its tokens and use no raw colours. */
import { readFileSync, readdirSync } from "node:fs";
import { expect, it } from "vitest";

const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) => /\.(svelte|css)$/.test(name) && name !== "tokens.css");

it("finds the components", () => expect(files.length).toBeGreaterThan(30));

it.each(files)("%s has no raw colour and no inline style", (name) => {
  const text = readFileSync(`src/${name}`, "utf8");
  const style = name.endsWith(".css") ? text : (/<style>([\s\S]*)<\/style>/.exec(text)?.[1] ?? "");
  expect(style.match(/#[0-9a-f]{3,8}\b|\b(?:rgb|hsl|oklch)a?\(/gi) ?? []).toEqual([]);
  // the content policy refuses style attributes; `style:` directives go through the object model
  expect(text.match(/\sstyle="/g) ?? []).toEqual([]);
});

it("has every token that is named", () => {
  const tokens = readFileSync("src/tokens.css", "utf8");
  const known = new Set(tokens.match(/--[\w-]+(?=:)/g));
  const local = new Set(["--columns", "--tone", "--time"]);
  const named = files.flatMap((name) => [...readFileSync(`src/${name}`, "utf8").matchAll(/var\((--[\w-]+)/g)].map((match) => match[1] ?? ""));
  expect([...new Set(named)].filter((name) => !known.has(name) && !local.has(name))).toEqual([]);
});

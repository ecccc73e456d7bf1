import { expect, it } from "vitest";
import { colour, colourAll } from "./yaml";

it.each([
  ["- rule: Shell in a container", "key"],
  ["  condition: spawned_process and proc.name in (sh, bash) # why", "comment"],
  ['  output: "x %proc.name"', "text"],
])("colours %s", (line, kind) => {
  const pieces = colour(line);
  expect(pieces.map((piece) => piece.text).join("")).toBe(line);
  expect(pieces.some((piece) => piece.kind === kind)).toBe(true);
});

it("leaves sentences alone", () => {
  expect(colour("  desc: not in the image").map((piece) => piece.kind)).toEqual(["key", ""]);
  const block = colourAll("- rule: x\n  desc: >\n    this and that\n\n    or not\n  condition: a and b");
  expect(block.map((line) => line.some((piece) => piece.kind === "word"))).toEqual([false, false, false, false, false, true]);
});

it("knows fields from words", () => {
  expect(colour("proc.name = sh and fd.num > 3").map((piece) => [piece.text.trim(), piece.kind])).toEqual([
    ["proc.name", "field"],
    ["= sh", ""],
    ["and", "word"],
    ["", ""],
    ["fd.num", "field"],
    [">", ""],
    ["3", "number"],
  ]);
});

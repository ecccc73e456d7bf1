import { expect, it } from "vitest";
import { diff, hunks } from "./diff";

const show = (a: string, b: string) => diff(a, b).map((line) => `${{ same: " ", add: "+", del: "-" }[line.kind]}${line.text}`);

it.each([
  ["a\nb", "a\nb", [" a", " b"]],
  ["a\nb\nc", "a\nx\nc", [" a", "-b", "+x", " c"]],
  ["", "a", ["-", "+a"]],
  ["a\nb\nc", "b\nc\nd", ["-a", " b", " c", "+d"]],
] as [string, string, string[]][])("%j to %j", (a, b, lines) => expect(show(a, b)).toEqual(lines));

it("gives both texts back", () => {
  const a = "one\ntwo\n\nthree\nfour";
  const b = "zero\ntwo\nthree\n\nfour\nfive";
  const lines = diff(a, b);
  expect(lines.filter((line) => line.kind !== "add").map((line) => line.text).join("\n")).toBe(a);
  expect(lines.filter((line) => line.kind !== "del").map((line) => line.text).join("\n")).toBe(b);
});

it("leaves out what did not change", () => {
  const a = Array.from({ length: 30 }, (_, index) => `l${index}`).join("\n");
  const cut = hunks(diff(a, a.replace("l15", "x")));
  expect(cut[0]).toEqual({ skipped: 12 });
  expect(cut.at(-1)).toEqual({ skipped: 11 });
});

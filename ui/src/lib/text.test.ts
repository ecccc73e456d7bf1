import { describe, expect, it } from "vitest";
import { plain, segments, visible } from "./text";

describe("segments", () => {
  const cases: [string, string][] = [
    ["cat /etc/shadow", "cat /etc/shadow"],
    ["", ""],
    ["\u202etxt.exe", "‹U+202E›txt.exe"],
    ["a\u001b[31mred", "a‹ESC›[31mred"],
    ["a\nb\tc\r", "a‹LF›b‹HT›c‹CR›"],
    ["\u0000\u007f", "‹NUL›‹DEL›"],
    ["pass\u200bword", "pass‹U+200B›word"],
    ["\u2066x\u2069", "‹U+2066›x‹U+2069›"],
    ["\ufeff#!/bin/sh", "‹U+FEFF›#!/bin/sh"],
    ["tag\u{e0041}", "tag‹U+E0041›"],
    ["\ud800 lone", "‹U+D800› lone"],
    ["a\u00a0b", "a‹U+00A0›b"],
    ["naïve Ελλ 漢字 🚀", "naïve Ελλ 漢字 🚀"],
    ["עברית", "עברית"],
    ["<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"],
  ];
  it.each(cases)("%j is shown as %j", (given, shown) => {
    expect(visible(given)).toBe(shown);
  });

  it("names what it marks", () => {
    const mark = segments("x\u202ey").find((piece) => piece.mark);
    expect(mark?.mark).toContain("right-to-left override");
  });

  it("leaves accents and marks towers of them", () => {
    expect(visible("e\u0301")).toBe("e\u0301");
    expect(visible(`a${"\u0301".repeat(6)}`)).toContain("‹U+0301›");
  });

  it("leaves no control, direction or invisible character in what it gives out", () => {
    let all = "";
    for (let code = 0; code < 0x3200; code++) all += String.fromCodePoint(code);
    expect(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(visible(all))).toBe(false);
  });
});

describe("plain", () => {
  it.each([
    [null, ""],
    [0, "0"],
    [false, "false"],
    [["a", 1], '["a",1]'],
    ["x", "x"],
  ] as [unknown, string][])("%j is %j", (given, shown) => expect(plain(given)).toBe(shown));
});

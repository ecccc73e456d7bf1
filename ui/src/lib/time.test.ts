import { describe, expect, it } from "vitest";
import { ago, exact, instant, offset, rangeInWords, span, ticks } from "./time";

const NOW = Date.parse("2026-11-22T12:00:00Z");

describe("instant", () => {
  it.each([
    ["now", NOW],
    ["now-3h", NOW - 3 * 3600e3],
    ["now-14d", NOW - 14 * 86400e3],
    ["2026-11-22T11:00:00Z", NOW - 3600e3],
  ] as [string, number][])("%s", (text, at) => expect(instant(text, NOW)).toBe(at));
  it("knows what is no time", () => expect(instant("now-3y", NOW)).toBeNaN());
});

describe("words", () => {
  it("names presets and ranges", () => {
    expect(rangeInWords({ from: "now-3h", to: "now" })).toBe("Last 3 hours");
    expect(rangeInWords({ from: "now-9h", to: "now" })).toBe("Last 9 h");
    expect(rangeInWords({ from: "2026-11-22T11:00:00Z", to: "now" })).toMatch(/22 Nov .* – now/);
  });
  it("keeps every digit", () => {
    expect(exact("2026-11-22T00:44:18.504108968Z")).toBe("2026-11-22 00:44:18.504108968 UTC");
    expect(exact("soon")).toBe("soon");
  });
  it("says how long ago", () => {
    expect(ago("2026-11-22T11:59:59.9Z", NOW)).toBe("just now");
    expect(ago("2026-11-22T11:48:00Z", NOW)).toBe("12 min ago");
    expect(ago("2026-11-25T11:48:00Z", NOW)).toBe("in the future");
    expect(ago(null, NOW)).toBe("never");
  });
  it("measures", () => {
    expect(span(12)).toBe("12 ms");
    expect(span(86400e3 * 3)).toBe("3 d");
    expect(offset("2026-11-22T11:59:58Z", "2026-11-22T12:00:00Z")).toBe("−2 s");
    expect(offset("x", "2026-11-22T12:00:00Z")).toBe("");
  });
});

describe("ticks", () => {
  it("stays within the range and the number asked for", () => {
    for (const hours of [0.01, 1, 5, 24, 24 * 14]) {
      const found = ticks(NOW - hours * 3600e3, NOW, 8);
      expect(found.length).toBeGreaterThan(0);
      expect(found.length).toBeLessThanOrEqual(9);
      expect(found.every((tick) => tick.at >= NOW - hours * 3600e3 && tick.at < NOW)).toBe(true);
    }
  });
});

/** Times: nanoseconds arrive as RFC 3339 text and stay text where they are only shown. */

/** Presets of the time range, shortest first. */
export const PRESETS: [string, string][] = [
  ["now-15m", "15 min"],
  ["now-1h", "1 hour"],
  ["now-3h", "3 hours"],
  ["now-12h", "12 hours"],
  ["now-1d", "1 day"],
  ["now-3d", "3 days"],
  ["now-7d", "1 week"],
  ["now-14d", "2 weeks"],
];

export interface Range {
  from: string;
  to: string;
}

const UNIT: Record<string, number> = { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3, w: 7 * 86400e3 };

/** Milliseconds since the epoch of `now`, `now-3h` or an RFC 3339 time; NaN when it is neither. */
export function instant(text: string, now: number): number {
  const relative = /^now(?:-(\d{1,6})([smhdw]))?$/.exec(text);
  if (relative) return now - Number(relative[1] ?? 0) * (UNIT[relative[2] ?? "s"] ?? 0);
  return Date.parse(text);
}

/** A range in words: the preset's name, or both ends. */
export function rangeInWords(range: Range): string {
  const preset = range.to === "now" ? PRESETS.find(([from]) => from === range.from) : undefined;
  if (preset) return `Last ${preset[1]}`;
  const relative = range.to === "now" ? /^now-(\d+)([smhdw])$/.exec(range.from) : null;
  if (relative) return `Last ${relative[1]} ${relative[2]}`;
  return `${short(range.from)} – ${range.to === "now" ? "now" : short(range.to)}`;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** `22 Nov 00:44`, in the browser's zone; the text itself when it is no time. */
export function short(text: string): string {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text;
  const month = date.toLocaleString("en", { month: "short" });
  return `${date.getDate()} ${month} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** `00:44:18.504`, in the browser's zone. */
export function clock(text: string, digits = 3): string {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text;
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? "";
  const shown = fraction.padEnd(9, "0").slice(0, digits);
  const seconds = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return digits ? `${seconds}.${shown}` : seconds;
}

/** `2026-11-22 00:44:18.504108968 UTC`: every digit there is. */
export function exact(text: string): string {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return text;
  const fraction = /\.(\d+)/.exec(text)?.[1];
  const whole = date.toISOString().slice(0, 19).replace("T", " ");
  return `${whole}${fraction ? `.${fraction}` : ""} UTC`;
}

/** How long ago: `4 s ago`, `12 min ago`, `3 h ago`, `9 d ago`. */
export function ago(text: string | null | undefined, now: number): string {
  const at = text ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) return "never";
  const seconds = Math.round((now - at) / 1000);
  if (seconds < -5) return "in the future";
  return seconds < 2 ? "just now" : `${span(seconds * 1000)} ago`;
}

/** A length of time with one unit. */
export function span(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 1) return `${Math.max(0, Math.round(milliseconds))} ms`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

/** The difference of two times as a tree shows it: `−12 ms`, `+3 s`, `0`. */
export function offset(text: string, base: string): string {
  const difference = Date.parse(text) - Date.parse(base);
  if (Number.isNaN(difference)) return "";
  if (difference === 0) return "0";
  return `${difference < 0 ? "\u2212" : "+"}${span(Math.abs(difference))}`;
}

/** Labels for a time axis over `from`–`to` (milliseconds): at most `most`, at round steps of the browser's zone. */
export function ticks(from: number, to: number, most: number): { at: number; label: string }[] {
  const steps = [1e3, 5e3, 15e3, 60e3, 300e3, 900e3, 1800e3, 3600e3, 3 * 3600e3, 6 * 3600e3, 12 * 3600e3, 86400e3, 2 * 86400e3, 7 * 86400e3];
  const width = Math.max(1, to - from);
  const step = steps.find((candidate) => width / candidate <= most) ?? width;
  const shift = new Date(from).getTimezoneOffset() * 60e3;
  const out: { at: number; label: string }[] = [];
  for (let at = Math.ceil((from - shift) / step) * step + shift; at < to; at += step) {
    const date = new Date(at);
    const midnight = date.getHours() === 0 && date.getMinutes() === 0 && step >= 3600e3;
    const label = midnight
      ? `${date.getDate()} ${date.toLocaleString("en", { month: "short" })}`
      : step < 60e3
        ? `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
        : `${two(date.getHours())}:${two(date.getMinutes())}`;
    out.push({ at, label });
  }
  return out;
}

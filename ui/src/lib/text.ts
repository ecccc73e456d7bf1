/**
 * Text that an attacker may have chosen, made visible and harmless.
 *
 * Command lines, file names, labels and user agents can carry characters that hide, reorder or colour what a person
 * reads. Every such text passes `segments` on its way to the screen. Markup is no concern here: text nodes are never
 * parsed as HTML.
 */

/** A piece of text: as it is, or one character that would mislead and what it is called. */
export type Segment = { text: string; mark?: undefined } | { text: string; mark: string };

/** Names of the characters that are worth one. Source: Unicode names list, chapters "Bidi" and "General Punctuation". */
const NAMES: Record<number, string> = {
  0x00: "null",
  0x07: "bell",
  0x08: "backspace",
  0x09: "tab",
  0x0a: "line feed",
  0x0d: "carriage return",
  0x1b: "escape (begins terminal colours and commands)",
  0x7f: "delete",
  0xa0: "no-break space",
  0xad: "soft hyphen",
  0x34f: "combining grapheme joiner",
  0x61c: "Arabic letter mark",
  0x180e: "Mongolian vowel separator",
  0x200b: "zero width space",
  0x200c: "zero width non-joiner",
  0x200d: "zero width joiner",
  0x200e: "left-to-right mark",
  0x200f: "right-to-left mark",
  0x2028: "line separator",
  0x2029: "paragraph separator",
  0x202a: "left-to-right embedding",
  0x202b: "right-to-left embedding",
  0x202c: "pop directional formatting",
  0x202d: "left-to-right override",
  0x202e: "right-to-left override (shows text backwards)",
  0x2060: "word joiner",
  0x2066: "left-to-right isolate",
  0x2067: "right-to-left isolate",
  0x2068: "first strong isolate",
  0x2069: "pop directional isolate",
  0x3164: "Hangul filler",
  0xfeff: "byte order mark",
  0xfffd: "replacement character (bytes that are no UTF-8)",
};

/** More marks stacked on one letter than any script needs cover the lines above and below. */
const MAX_COMBINING = 4;

/** Controls, format characters (direction, invisible), unassigned, private and half characters, every space but one. */
const MISLEADING = /[\p{C}\p{Z}]/u;
/** Letters and marks that show as nothing: fillers, variation selectors, inherent vowels. */
const BLANK = /[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffd\u{e0100}-\u{e01ef}]/u;

function misleads(char: string): boolean {
  return char !== " " && (MISLEADING.test(char) || BLANK.test(char));
}

/** Abbreviations of the old control characters, which every font can show. Source: ANSI X3.4. */
const SHORT = "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US".split(" ");

/** How a misleading character is written: its abbreviation or its code point, in quotes of its own. */
function picture(code: number): string {
  const short = SHORT[code] ?? (code === 0x7f ? "DEL" : `U+${code.toString(16).toUpperCase().padStart(4, "0")}`);
  return `\u2039${short}\u203a`;
}

/** What a misleading character is called, for a tooltip and for screen readers. */
function name(code: number): string {
  const number = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  const known = NAMES[code];
  return known ? `${known}, ${number}` : number;
}

/** Splits a text into what is shown as it is and what is shown as a mark. Joined, the pieces cover every character. */
export function segments(text: string): Segment[] {
  const out: Segment[] = [];
  let plain = "";
  let stacked = 0;
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0xfffd;
    stacked = /\p{M}/u.test(char) ? stacked + 1 : 0;
    if (misleads(char) || stacked > MAX_COMBINING) {
      if (plain) out.push({ text: plain });
      plain = "";
      out.push({ text: picture(code), mark: name(code) });
    } else {
      plain += char;
    }
  }
  if (plain) out.push({ text: plain });
  return out;
}

/** The same as one string, for titles and labels that cannot hold elements. */
export function visible(text: string): string {
  return segments(text)
    .map((piece) => piece.text)
    .join("");
}

/** Any JSON value as text for a table cell. */
export function plain(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return JSON.stringify(value);
}

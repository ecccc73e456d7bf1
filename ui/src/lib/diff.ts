/** Line by line difference of two texts (longest common subsequence). */

export interface DiffLine {
  kind: "same" | "add" | "del";
  text: string;
  before: number | null;
  after: number | null;
}

/** Texts beyond this many lines on a side are compared as a whole: the table would be too large for a page. */
const MOST_LINES = 2000;

export function diff(before: string, after: string): DiffLine[] {
  const a = before.split("\n");
  const b = after.split("\n");
  if (a.length > MOST_LINES || b.length > MOST_LINES) {
    return [
      ...a.map((text, index): DiffLine => ({ kind: "del", text, before: index + 1, after: null })),
      ...b.map((text, index): DiffLine => ({ kind: "add", text, before: null, after: index + 1 })),
    ];
  }
  const width = b.length + 1;
  const table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i * width + j] =
        a[i] === b[j] ? (table[(i + 1) * width + j + 1] ?? 0) + 1 : Math.max(table[(i + 1) * width + j] ?? 0, table[i * width + j + 1] ?? 0);
    }
  }
  const out: DiffLine[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ kind: "same", text: a[i] ?? "", before: ++i, after: ++j });
    } else if (j >= b.length || (i < a.length && (table[(i + 1) * width + j] ?? 0) >= (table[i * width + j + 1] ?? 0))) {
      out.push({ kind: "del", text: a[i] ?? "", before: ++i, after: null });
    } else {
      out.push({ kind: "add", text: b[j] ?? "", before: null, after: ++j });
    }
  }
  return out;
}

/** Leaves out what is far from a change. */
export function hunks(lines: DiffLine[], context = 3): (DiffLine | { skipped: number })[] {
  const near = lines.map((_, index) => lines.slice(Math.max(0, index - context), index + context + 1).some((line) => line.kind !== "same"));
  const out: (DiffLine | { skipped: number })[] = [];
  let skipped = 0;
  lines.forEach((line, index) => {
    if (near[index]) {
      if (skipped) out.push({ skipped });
      skipped = 0;
      out.push(line);
    } else skipped++;
  });
  if (skipped) out.push({ skipped });
  return out;
}

/**
 * Working on filter text: the engine's condition grammar, as far as an editor needs it.
 *
 * The server parses and checks filters. Here a filter is only cut into its top-level `and` clauses (shown as chips and
 * ticked as facets) and looked at around the cursor for completion.
 */

/** A field of the catalogue. */
export interface Field {
  name: string;
  type: string;
  description: string;
  /** Values worth offering, when there are few. */
  values?: string[];
}

/** Writes a value as the grammar wants it: bare where that is unambiguous, quoted otherwise. */
export function quote(value: string): string {
  return `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

function unquote(text: string): string {
  const inner = /^"(.*)"$/s.exec(text) ?? /^'(.*)'$/s.exec(text);
  return inner ? (inner[1] ?? "").replace(/\\(["'\\])/g, "$1") : text;
}

interface Token {
  text: string;
  start: number;
  end: number;
  depth: number;
}

/** Words, quoted values, operators and parentheses with their places and depth. */
function tokens(filter: string): Token[] {
  const out: Token[] = [];
  const pattern = /"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|[()]|,|[<>!=]=?|[^\s()=<>!,"']+/g;
  let depth = 0;
  for (const match of filter.matchAll(pattern)) {
    if (match[0] === ")") depth = Math.max(0, depth - 1);
    out.push({ text: match[0], start: match.index, end: match.index + match[0].length, depth });
    if (match[0] === "(") depth++;
  }
  return out;
}

/** The clauses that a top-level `and` joins; the whole filter as one when a top-level `or` holds it together. */
export function clauses(filter: string): string[] {
  const trimmed = filter.trim();
  if (!trimmed) return [];
  const all = tokens(trimmed);
  if (all.some((token) => token.depth === 0 && token.text.toLowerCase() === "or")) return [trimmed];
  const out: string[] = [];
  let start = 0;
  for (const token of all) {
    if (token.depth === 0 && token.text.toLowerCase() === "and") {
      out.push(trimmed.slice(start, token.start).trim());
      start = token.end;
    }
  }
  out.push(trimmed.slice(start).trim());
  return out.filter(Boolean);
}

/** Joins clauses again; one that holds an `or` gets its parentheses. */
export function join(parts: string[]): string {
  if (parts.length < 2) return parts[0] ?? "";
  return parts
    .map((part) => {
      const loose = tokens(part).some((token) => token.depth === 0 && token.text.toLowerCase() === "or");
      return loose ? `(${part})` : part;
    })
    .join(" and ");
}

/** Adds a clause unless it is there. */
export function withClause(filter: string, clause: string): string {
  const parts = clauses(filter);
  return parts.includes(clause) ? filter : join([...parts, clause]);
}

/** Takes a clause out. */
export function withoutClause(filter: string, clause: string): string {
  return join(clauses(filter).filter((part) => part !== clause));
}

/** The values that a filter asks a field to have, from `field = v` and `field in (…)` at the top level. */
export function chosen(filter: string, field: string): string[] {
  for (const part of clauses(filter)) {
    const all = tokens(part);
    if (all[0]?.text !== field) continue;
    if (all.length === 3 && all[1]?.text === "=") return [unquote(all[2]?.text ?? "")];
    if (all[1]?.text === "in" && all[2]?.text === "(") {
      return all.slice(3, -1).flatMap((token) => (token.text === "," ? [] : [unquote(token.text)]));
    }
  }
  return [];
}

/** Ticks or unticks a value of a field. */
export function toggle(filter: string, field: string, value: string): string {
  const now = chosen(filter, field);
  const next = now.includes(value) ? now.filter((v) => v !== value) : [...now, value];
  const rest = clauses(filter).filter((part) => {
    const all = tokens(part);
    return !(all[0]?.text === field && (all[1]?.text === "=" || all[1]?.text === "in"));
  });
  if (next.length === 1) rest.push(`${field} = ${quote(next[0] ?? "")}`);
  if (next.length > 1) rest.push(`${field} in (${next.map(quote).join(", ")})`);
  return join(rest);
}

/** Operators, and what each is for. */
export const OPERATORS: [string, string][] = [
  ["=", "is"],
  ["!=", "has a value and it is another"],
  ["contains", "contains, case counts"],
  ["icontains", "contains, case does not count"],
  ["startswith", "begins with"],
  ["endswith", "ends with"],
  ["in", "is one of (…)"],
  ["glob", "matches * and ?"],
  ["regex", "matches a regular expression"],
  ["exists", "has a value"],
  [">=", "at least"],
  ["<=", "at most"],
];

export interface Completion {
  text: string;
  kind: "field" | "operator" | "value" | "word";
  detail: string;
}

const WORDS = new Set(["and", "or", "not"]);
const OPERATOR_WORDS = new Set([...OPERATORS.map(([text]) => text), "==", "<", ">", "intersects", "pmatch", "bcontains", "bstartswith"]);

/** What can stand at the cursor, and which part of the text it would replace. */
export function complete(
  filter: string,
  cursor: number,
  fields: Field[],
  most = 40,
): { start: number; end: number; options: Completion[]; field?: string } {
  const all = tokens(filter);
  const here = all.find((token) => token.start < cursor && cursor <= token.end && !/^[(),]$/.test(token.text));
  const typed = here ? filter.slice(here.start, cursor) : "";
  const start = here?.start ?? cursor;
  const end = here?.end ?? cursor;
  const before = all.filter((token) => token.end <= start);
  const last = before.at(-1)?.text.toLowerCase();
  const wanted = typed.replace(/^["']/, "").toLowerCase();
  const give = (options: Completion[], field?: string) => ({ start, end, options: options.slice(0, most), ...(field ? { field } : {}) });

  // within `in ( … )`, or behind an operator: a value of the field before it
  const opened = before.findLastIndex((token) => token.text === "(");
  const listField = opened > 0 && before[opened - 1]?.text === "in" ? before[opened - 2]?.text : undefined;
  const closed = before.slice(opened + 1).some((token) => token.text === ")");
  const field = listField && !closed ? listField : last && OPERATOR_WORDS.has(last) && last !== "exists" && last !== "in" ? before.at(-2)?.text : undefined;
  if (field) {
    const values = fields.find((candidate) => candidate.name === field)?.values ?? [];
    return give(
      values.filter((value) => value.toLowerCase().includes(wanted)).map((value) => ({ text: quote(value), kind: "value", detail: "" })),
      field,
    );
  }
  const known = (name: string | undefined) => name !== undefined && fields.some((candidate) => candidate.name === name.replace(/\[.*$/, ""));
  if (last === "in") return give([{ text: "(", kind: "word", detail: "list of values" }]);
  if (known(before.at(-1)?.text)) {
    return give(
      OPERATORS.filter(([text]) => text.startsWith(wanted)).map(([text, detail]) => ({ text, kind: "operator", detail })),
    );
  }
  const fresh = last === undefined || WORDS.has(last) || last === "(";
  if (fresh) {
    const score = (name: string) => (name.startsWith(wanted) ? 0 : name.includes(`.${wanted}`) ? 1 : 2);
    const options = fields
      .filter((candidate) => candidate.name.includes(wanted) || (wanted.length > 2 && candidate.description.toLowerCase().includes(wanted)))
      .sort((a, b) => score(a.name) - score(b.name) || a.name.length - b.name.length || (a.name < b.name ? -1 : 1))
      .map((candidate): Completion => ({ text: candidate.name, kind: "field", detail: candidate.description }));
    if ("not".startsWith(wanted) && last !== "not") options.push({ text: "not", kind: "word", detail: "negates the next clause" });
    return give(options);
  }
  return give(
    (
      [
        ["and", "both"],
        ["or", "either"],
      ] as const
    )
      .filter(([text]) => text.startsWith(wanted))
      .map(([text, detail]) => ({ text, kind: "word", detail })),
  );
}

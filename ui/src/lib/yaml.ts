/** Colours for the rule editor: just enough YAML, and the words of the rules language. It decides nothing. */

export interface Piece {
  text: string;
  kind: "" | "key" | "text" | "comment" | "number" | "word" | "field";
}

const WORDS = /^(and|or|not|in|intersects|pmatch|contains|icontains|bcontains|startswith|endswith|glob|iglob|regex|exists|true|false)$/;

/** Keys whose values are sentences. */
const PROSE = /^\s*(?:- )?(?:rule|policy|name|desc|description|output|macro|list):/;

/** Cuts a text into lines of coloured pieces; sentences in block scalars stay plain. */
export function colourAll(text: string): Piece[][] {
  let indent = -1;
  return text.split("\n").map((line) => {
    const own = line.search(/\S/);
    if (indent >= 0 && (own < 0 || own > indent)) return line ? [{ text: line, kind: "" }] : [];
    indent = PROSE.test(line) && /[>|][-+]?\s*$/.test(line) ? own : -1;
    return colour(line);
  });
}

/** Cuts one line into coloured pieces; joined they are the line. */
export function colour(line: string): Piece[] {
  const out: Piece[] = [];
  const prose = PROSE.test(line);
  const pattern = /(#.*$)|("(?:\\.|[^"\\])*"?|'(?:[^']|'')*'?)|(^\s*(?:- )?[A-Za-z_][\w.-]*:(?=\s|$))|([A-Za-z_][\w-]*(?:\.[\w-]+)+(?:\[[^\]]*\])?)|([A-Za-z_][\w-]*)|(\b\d[\d.]*\b)|(\s+|.)/g;
  for (const match of line.matchAll(pattern)) {
    const text = match[0];
    const before = match.index > 0 ? line[match.index - 1] : " ";
    let kind: Piece["kind"] = "";
    if (match[1] && /\s/.test(before ?? " ")) kind = "comment";
    else if (match[1]) kind = "";
    else if (match[2]) kind = "text";
    else if (match[3]) kind = "key";
    else if (match[4] && !prose) kind = "field";
    else if (match[5] && !prose && WORDS.test(text)) kind = "word";
    else if (match[6]) kind = "number";
    const last = out.at(-1);
    if (last && last.kind === kind) last.text += text;
    else out.push({ text, kind });
  }
  return out;
}

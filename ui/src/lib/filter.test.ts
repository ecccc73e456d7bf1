import { describe, expect, it } from "vitest";
import { type Field, chosen, clauses, complete, join, quote, toggle, withClause, withoutClause } from "./filter";

describe("clauses", () => {
  it.each([
    ["", []],
    ['a = "x"', ['a = "x"']],
    ['a = "x and y" and b = 1', ['a = "x and y"', "b = 1"]],
    ["(a = 1 or b = 2) and c = 3", ["(a = 1 or b = 2)", "c = 3"]],
    ["a = 1 or b = 2 and c = 3", ["a = 1 or b = 2 and c = 3"]],
    ['a in ("p", "q") and not b = "r"', ['a in ("p", "q")', 'not b = "r"']],
    ['a = "open', ['a = "open']],
  ] as [string, string[]][])("%s", (filter, parts) => expect(clauses(filter)).toEqual(parts));

  it("joins what it cut", () => {
    expect(join(clauses("a = 1 and (b = 2 or c = 3)"))).toBe("a = 1 and (b = 2 or c = 3)");
    expect(join(["a = 1 or b = 2", "c = 3"])).toBe("(a = 1 or b = 2) and c = 3");
  });
  it("adds once and takes away", () => {
    const filter = withClause("a = 1", "b = 2");
    expect(filter).toBe("a = 1 and b = 2");
    expect(withClause(filter, "b = 2")).toBe(filter);
    expect(withoutClause(filter, "a = 1")).toBe("b = 2");
  });
});

describe("facets", () => {
  it("ticks one, two, and back to none", () => {
    const one = toggle("node = n1", "rule", 'say "hi"');
    expect(one).toBe('node = n1 and rule = "say \\"hi\\""');
    const two = toggle(one, "rule", "b");
    expect(two).toBe('node = n1 and rule in ("say \\"hi\\"", "b")');
    expect(chosen(two, "rule")).toEqual(['say "hi"', "b"]);
    expect(toggle(toggle(two, "rule", "b"), "rule", 'say "hi"')).toBe("node = n1");
  });
  it("quotes what would break out", () => expect(quote('a" or b="')).toBe('"a\\" or b=\\""'));
});

describe("complete", () => {
  const fields: Field[] = [
    { name: "proc.name", type: "string", description: "Name of the process." },
    { name: "proc.pname", type: "string", description: "Name of the parent." },
    { name: "severity", type: "string", description: "Severity.", values: ["critical", "high"] },
  ];
  const at = (text: string) => complete(text, text.length, fields).options.map((option) => option.text);
  it("offers fields first", () => expect(at("pro")).toEqual(["proc.name", "proc.pname"]));
  it("offers operators behind a field", () => expect(at("proc.name st")).toEqual(["startswith"]));
  it("offers values behind an operator", () => expect(at("severity = ")).toEqual(['"critical"', '"high"']));
  it("offers values within a list", () => expect(at('severity in ("critical", h')).toEqual(['"high"']));
  it("offers words behind a clause", () => expect(at('proc.name = "sh" ')).toEqual(["and", "or"]));
  it("offers fields behind a word", () => expect(at('proc.name = "sh" and sev')).toEqual(["severity"]));
  it("says what is replaced", () => {
    expect(complete("severity = hi", 13, fields)).toMatchObject({ start: 11, end: 13, field: "severity" });
  });
  it("does not fail on any cut of a filter", () => {
    const text = 'a in ("x", \'y) and not (b >= 2 or c exists) =!"';
    for (let length = 0; length <= text.length; length++) complete(text.slice(0, length), length, fields);
  });
});

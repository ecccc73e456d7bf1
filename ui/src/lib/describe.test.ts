import { describe, expect, it } from "vitest";
import { answered, attack, filterOf, place, sections } from "./describe";
import type { FindingItem, Place } from "./types";

const item = (rest: Partial<FindingItem>) => ({ node: "n1", ...rest }) as FindingItem;
const at = (some: Partial<Place>): Place => ({ node: "n1", namespace: "", kind: "none", workload: "", pod: "", container: "", ...some });

describe("place", () => {
  it.each([
    [{}, ["n1"], 'node = "n1"'],
    [{ container: "5eed", workload: "5eed" }, ["5eed"], '(container.name = "5eed" or container.id = "5eed")'],
    [{ namespace: "shop", workload: "cart", pod: "cart-1", container: "" }, ["shop", "cart"], 'k8s.ns.name = "shop" and workload = "cart" and k8s.pod.name = "cart-1"'],
    [{ namespace: "shop", workload: "cart", container: "web" }, ["shop", "cart", "web"], 'k8s.ns.name = "shop" and workload = "cart" and (container.name = "web" or container.id = "web")'],
  ] as [Partial<Place>, string[], string][])("%j", (some, parts, filter) => {
    expect(place({ place: at(some) })).toEqual(parts);
    expect(filterOf(at(some))).toBe(filter);
  });
});

describe("sections", () => {
  it("keeps every field that has a value, once", () => {
    const fields = { "proc.name": "sh", "fd.name": "/x", "strange.one": 0, "k8s.ns.name": null, "user.name": "<NA>" };
    const found = sections(fields);
    expect(found.map((section) => section.id)).toEqual(["process", "file", "other"]);
    expect(found.flatMap((section) => section.rows.map(([name]) => name))).toEqual(["proc.name", "fd.name", "strange.one"]);
  });
});

describe("answered", () => {
  it("says what was done, before what was not", () => {
    expect(answered(item({ actions: [] }))).toBeNull();
    expect(answered(item({ actions: [{ kind: "deny", outcome: "dry_run" }] }))).toEqual({ text: "Audit only", done: false });
    expect(
      answered(item({ actions: [{ kind: "capture", outcome: "failed" }, { kind: "deny", outcome: "done" }] })),
    ).toEqual({ text: "Denied", done: true });
  });
});

it("tells tags apart", () => {
  expect(attack(["T1059", "T1003.008", "mitre_credential_access", "container"])).toEqual({
    tactics: ["credential access"],
    techniques: ["T1059", "T1003.008"],
    rest: ["container"],
  });
});

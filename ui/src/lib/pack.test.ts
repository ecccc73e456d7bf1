import { describe, expect, it } from "vitest";
import { all, find, pack } from "./pack";
import type { InsightNode } from "./types";

const leaf = (id: string, high: number): InsightNode => ({
  id,
  name: id,
  kind: "pod",
  counts: { critical: 0, high, medium: 0, low: 0, info: 0 },
  denied: 0,
  last: null,
  children: [],
});
const group = (id: string, children: InsightNode[]): InsightNode => ({ ...leaf(id, 0), kind: "namespace", children });

describe("pack", () => {
  const tree = group("", [group("/b", [leaf("/b/1", 100), leaf("/b/2", 1)]), group("/a", [leaf("/a/1", 0)])]);
  const laid = pack(tree, 400);
  it("keeps every circle inside its parent and apart from its siblings", () => {
    for (const circle of all(laid)) {
      if (circle.parent) expect(Math.hypot(circle.x - circle.parent.x, circle.y - circle.parent.y) + circle.r).toBeLessThanOrEqual(circle.parent.r + 0.01);
      for (const other of circle.parent?.children ?? []) {
        if (other !== circle) expect(Math.hypot(circle.x - other.x, circle.y - other.y)).toBeGreaterThan(circle.r + other.r - 0.01);
      }
    }
  });
  it("is the same whatever order the answer has", () => {
    const turned = pack(group("", [...tree.children].reverse()), 400);
    const places = (circles: ReturnType<typeof all>) => circles.map((circle) => [circle.node.id, circle.x, circle.y, circle.r]);
    expect(places(all(turned))).toEqual(places(all(laid)));
  });
  it("draws more findings larger", () => {
    expect(find(laid, "/b/1").r).toBeGreaterThan(find(laid, "/b/2").r);
  });
  it("finds by path, as deep as it exists", () => {
    expect(find(laid, "/b/2").node.id).toBe("/b/2");
    expect(find(laid, "/b/gone").node.id).toBe("/b");
    expect(find(laid, "").node.id).toBe("");
  });
});

/** Circle packing of the insights tree: a stable order, so that the eye can compare two looks at it. */
import { hierarchy, pack as circles } from "d3-hierarchy";
import type { InsightNode } from "./types";
import { total } from "./severity";

export interface Circle {
  node: InsightNode;
  parent: Circle | null;
  children: Circle[];
  x: number;
  y: number;
  r: number;
  depth: number;
}

/** Children of circles that would be smaller than this (pixels) are not drawn; their parent stands for them. */
export const SMALLEST = 4;

/** Largest leaf, as a share of the drawing: a lonely one must not shout. */
const LARGEST = 0.17;

/** Lays the tree out in a square of `size` pixels. Area grows with the number of findings; silent leaves stay small dots. */
export function pack(root: InsightNode, size: number): Circle {
  const tree = hierarchy<InsightNode>(root, (node) => node.children ?? []);
  tree.sum((node) => (node.children?.length ? 0 : Math.max(0.6, total(node.counts) ** 0.72)));
  // large ones first pack well; by powers of two, so that a few findings more do not stir everything
  const magnitude = (value: number | undefined): number => Math.round(Math.log2(Math.max(1, value ?? 1)));
  tree.sort((a, b) => magnitude(b.value) - magnitude(a.value) || (a.data.id < b.data.id ? -1 : a.data.id > b.data.id ? 1 : 0));
  const laid = circles<InsightNode>()
    .size([size, size])
    .padding((node) => (node.height > 1 ? 10 : node.height === 1 ? 4 : 2))(tree);
  const convert = (node: typeof laid, parent: Circle | null): Circle => {
    const r = node.children ? node.r : Math.min(node.r, size * LARGEST);
    const circle: Circle = { node: node.data, parent, children: [], x: node.x, y: node.y, r, depth: node.depth };
    circle.children = (node.children ?? []).map((child) => convert(child, circle));
    return circle;
  };
  return convert(laid, null);
}

/** Every circle, parents before children. */
export function all(circle: Circle): Circle[] {
  return [circle, ...circle.children.flatMap(all)];
}

/** The circle with this id, or the deepest on the way to it that exists. Ids begin with those of their parents. */
export function find(root: Circle, id: string): Circle {
  let here = root;
  for (;;) {
    const next = here.children.find((child) => child.node.id === id || id.startsWith(`${child.node.id}/`));
    if (!next) return here;
    here = next;
    if (here.node.id === id) return here;
  }
}

/** Process trees as rows: indentation, collapsing, and stacks of siblings that are all alike. */
import type { FindingItem, Process, Tree, TreeNode } from "./types";
import { SEVERITIES, type Counts } from "./severity";

export interface Row {
  /** Names the process within the tree for good. */
  key: string;
  node: TreeNode;
  level: number;
  /** Position among the siblings shown, and how many there are (for assistive technology). */
  position: number;
  siblings: number;
  expandable: boolean;
  expanded: boolean;
  /** More processes like this one that the row stands for. */
  stack: number;
  /** For each level above, whether a line runs on below. */
  rails: boolean[];
  last: boolean;
}

/** Alike siblings from which on they become one row. */
const STACK_FROM = 4;

/** Names a process: number and start tell reused numbers apart. */
export function keyOf(node: Pick<TreeNode, "pid" | "started">): string {
  return `${node.pid}@${node.started ?? ""}`;
}

const quiet = (node: TreeNode): boolean => !node.focal && node.findings.length === 0 && node.children.length === 0;

/** Flattens a tree. `closed` holds the keys of collapsed rows, `unstacked` those of stacks that were opened. */
export function rows(roots: TreeNode[], closed: ReadonlySet<string>, unstacked: ReadonlySet<string> = new Set()): Row[] {
  const out: Row[] = [];
  const walk = (nodes: TreeNode[], level: number, rails: boolean[]): void => {
    const groups: { node: TreeNode; stack: number }[] = [];
    for (const node of nodes) {
      const group = quiet(node) ? groups.find((candidate) => quiet(candidate.node) && candidate.node.name === node.name) : undefined;
      if (group) group.stack++;
      else groups.push({ node, stack: 1 });
    }
    const shown = groups.flatMap(({ node, stack }) => {
      if (stack < STACK_FROM || unstacked.has(keyOf(node))) {
        return stack === 1 ? [{ node, stack: 1 }] : nodes.filter((one) => quiet(one) && one.name === node.name).map((one) => ({ node: one, stack: 1 }));
      }
      return [{ node, stack }];
    });
    shown.forEach(({ node, stack }, index) => {
      const key = keyOf(node);
      const expandable = node.children.length > 0 || stack > 1;
      const expanded = node.children.length > 0 && !closed.has(key);
      const last = index === shown.length - 1;
      out.push({ key, node, level, position: index + 1, siblings: shown.length, expandable, expanded, stack, rails, last });
      if (expanded) walk(node.children, level + 1, [...rails, !last]);
    });
  };
  walk(roots, 1, []);
  return out;
}

/** A tree as the server answers it. */
export interface TreeAnswer {
  tree: BranchAnswer | null;
  cut: boolean;
}
interface BranchAnswer {
  process: Process;
  focal: boolean;
  counts: Partial<Counts>;
  findings: TreeNode["findings"];
  children: BranchAnswer[];
}

/** The server's tree as rows need it. */
export function fromAnswer(answer: TreeAnswer): Tree {
  const node = (branch: BranchAnswer): TreeNode => ({
    pid: branch.process.pid,
    name: branch.process.name,
    exepath: branch.process.exepath ?? "",
    cmdline: branch.process.cmdline ?? "",
    started: typeof branch.process.started === "string" ? branch.process.started : null,
    user: branch.process.user ?? "",
    counts: branch.counts,
    findings: branch.findings,
    focal: branch.focal,
    children: branch.children.map(node),
  });
  return {
    roots: answer.tree ? [node(answer.tree)] : [],
    partial: answer.cut ? "this process started more than is shown" : null,
  };
}

/** The chain that a finding itself tells, when nothing more is recorded. */
export function fromLineage(lineage: Process[], finding: FindingItem): TreeNode[] {
  let child: TreeNode[] = [];
  lineage.forEach((process, index) => {
    child = [
      {
        pid: process.pid,
        name: process.name,
        exepath: process.exepath ?? "",
        cmdline: process.cmdline ?? "",
        started: typeof process.started === "string" ? process.started : null,
        user: process.user ?? "",
        counts: {},
        findings: index === 0 ? [{ id: finding.id, rule: finding.rule, severity: finding.severity, time: finding.time }] : [],
        focal: index === 0,
        children: child,
      },
    ];
  });
  return child;
}

/** Counts of a node and everything below it, for a collapsed row. */
export function below(node: TreeNode): Counts {
  const sum: Counts = { critical: 0, high: 0, medium: 0, low: 0, info: 0 };
  const add = (one: TreeNode): void => {
    for (const finding of one.findings) sum[finding.severity]++;
    if (one.findings.length === 0) for (const severity of SEVERITIES) sum[severity] += one.counts[severity] ?? 0;
    one.children.forEach(add);
  };
  add(node);
  return sum;
}

/** How many processes a tree has. */
export function size(roots: TreeNode[]): number {
  return roots.reduce((sum, node) => sum + 1 + size(node.children), 0);
}

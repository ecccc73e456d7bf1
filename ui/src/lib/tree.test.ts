import { describe, expect, it } from "vitest";
import { below, fromLineage, keyOf, rows, size } from "./tree";
import type { FindingItem, TreeNode } from "./types";

const node = (pid: number, name: string, children: TreeNode[] = [], more: Partial<TreeNode> = {}): TreeNode => ({
  pid,
  name,
  exepath: "",
  cmdline: "",
  started: null,
  user: "",
  counts: {},
  findings: [],
  focal: false,
  children,
  ...more,
});
const found = (id: string) => ({ id, rule: "r", severity: "high" as const, time: "" });

describe("rows", () => {
  const tree = [node(1, "systemd", [node(2, "sshd", [node(3, "sh")]), node(4, "cron")])];
  const names = (closed: string[] = []) => rows(tree, new Set(closed)).map((row) => `${row.level}${row.node.name}`);
  it("indents", () => expect(names()).toEqual(["1systemd", "2sshd", "3sh", "2cron"]));
  it("collapses", () => expect(names([keyOf({ pid: 2, started: null })])).toEqual(["1systemd", "2sshd", "2cron"]));
  it("tells position and number of siblings", () => {
    expect(rows(tree, new Set()).map((row) => [row.position, row.siblings])).toEqual([
      [1, 1],
      [1, 2],
      [1, 1],
      [2, 2],
    ]);
  });
  it("stacks siblings that are alike and quiet, and nothing that was found", () => {
    const many = [node(1, "sh", [...[2, 3, 4, 5].map((pid) => node(pid, "apt-get")), node(6, "apt-get", [], { findings: [found("f")] })])];
    const list = rows(many, new Set());
    expect(list.map((row) => [row.node.pid, row.stack])).toEqual([
      [1, 1],
      [2, 4],
      [6, 1],
    ]);
    expect(rows(many, new Set(), new Set([keyOf({ pid: 2, started: null })])).length).toBe(6);
  });
});

it("makes a chain of a lineage, oldest first", () => {
  const finding = { id: "f", rule: "r", severity: "high", time: "t" } as FindingItem;
  const roots = fromLineage([{ pid: 9, name: "cat" }, { pid: 5, name: "sh" }, { pid: 1, name: "init" }], finding);
  expect(rows(roots, new Set()).map((row) => row.node.name)).toEqual(["init", "sh", "cat"]);
  expect(size(roots)).toBe(3);
  expect(below(roots[0] as TreeNode).high).toBe(1);
  expect(fromLineage([], finding)).toEqual([]);
});

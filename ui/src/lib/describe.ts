/** Words for findings and activity: where it ran, what it did, which fields belong together. */
import { quote } from "./filter";
import type { ActivityItem, FindingItem, Place, Process } from "./types";
import { plain } from "./text";

/** Field values that mean "none" in Falco's output. */
const NONE = new Set(["", "<NA>", "<nil>", "host", "null"]);

function value(fields: Record<string, unknown>, name: string): string | null {
  const text = plain(fields[name]);
  return NONE.has(text) ? null : text;
}

/** Where it ran, from the outside in; the node's name when it was no container. */
export function place(item: { place: Place; node?: string }): string[] {
  const where = item.place;
  const inner = where.container && where.container !== where.workload ? where.container : "";
  const found = [where.namespace, where.workload || where.pod, inner].filter(Boolean);
  return found.length ? found : [where.node || (item.node ?? "")];
}

/** The filter that selects the findings of a place, without the node for what a cluster moves about. */
export function filterOf(where: Place): string {
  const parts = [
    where.namespace && `k8s.ns.name = ${quote(where.namespace)}`,
    where.workload && where.workload !== where.container && `workload = ${quote(where.workload)}`,
    where.pod && `k8s.pod.name = ${quote(where.pod)}`,
  ].filter(Boolean);
  if (where.container) parts.push(`(container.name = ${quote(where.container)} or container.id = ${quote(where.container)})`);
  if (parts.length === 0) parts.push(`node = ${quote(where.node)}`);
  return parts.join(" and ");
}

/** The command line of a finding's process, or its name. */
export function command(item: FindingItem): string {
  return item.process?.cmdline || item.process?.name || "";
}

/** What a finding was denied, killed or otherwise answered with; null when nothing was done. */
export function answered(item: FindingItem): { text: string; done: boolean } | null {
  const done = item.actions?.filter((action) => action.outcome === "done") ?? [];
  const words: Record<string, string> = {
    deny: "Denied",
    kill_process: "Process killed",
    kill_container: "Container killed",
    pause_container: "Container paused",
    stop_container: "Container stopped",
    capture: "Captured",
    notify: "Notified",
  };
  const first = done[0];
  if (first) return { text: words[first.kind] ?? first.kind, done: true };
  if (item.actions?.some((action) => action.outcome === "failed")) return { text: "Action failed", done: false };
  if (item.actions?.some((action) => action.outcome === "dry_run")) return { text: "Audit only", done: false };
  return null;
}

/** One line of a transcript. */
export function line(item: ActivityItem): string {
  const fields = item.fields;
  if (item.kind === "command") return item.process.cmdline || item.process.name;
  if (item.kind === "file") return value(fields, "fd.name") ?? value(fields, "evt.arg.name") ?? value(fields, "fs.path.name") ?? "";
  if (item.kind === "connection") return value(fields, "fd.name") ?? [value(fields, "fd.sip"), value(fields, "fd.sport")].filter(Boolean).join(":");
  const verb = value(fields, "ka.verb") ?? "";
  const resource = [value(fields, "ka.target.resource"), value(fields, "ka.target.subresource")].filter(Boolean).join("/");
  return [value(fields, "ka.user.name"), verb, resource, value(fields, "ka.target.name")].filter(Boolean).join(" ");
}

export interface Section {
  id: string;
  title: string;
  rows: [string, unknown][];
}

/** Sections of the event page, in the order they are read, with the prefixes of the fields that belong there. */
const SECTIONS: [string, string, RegExp][] = [
  ["process", "Process", /^(proc|thread)\./],
  ["user", "User", /^(user|group)\./],
  ["file", "File and network", /^(fd|fs)\./],
  ["kubernetes", "Kubernetes", /^(k8s|k8smeta)\./],
  ["container", "Container", /^container\./],
  ["audit", "Kubernetes audit", /^(ka|jevt)\./],
  ["cloud", "Cloud", /^(ct|aws|gcp|azure|cloud)\./],
  ["event", "System call", /^evt\./],
];

/** Sorts a finding's fields into sections; fields without a value are left out, the rest keeps every field. */
export function sections(fields: Record<string, unknown>): Section[] {
  const out = SECTIONS.map(([id, title]): Section => ({ id, title, rows: [] }));
  const rest: Section = { id: "other", title: "More", rows: [] };
  for (const name of Object.keys(fields).sort()) {
    const shown = plain(fields[name]);
    if (shown === "" || shown === "<NA>") continue;
    const index = SECTIONS.findIndex(([, , pattern]) => pattern.test(name));
    (out[index] ?? rest).rows.push([name, fields[name]]);
  }
  return [...out, rest].filter((section) => section.rows.length > 0);
}

/** The program's name for a chip. */
export function processName(process: Process): string {
  return process.name || process.exepath?.split("/").at(-1) || `pid ${process.pid}`;
}

const TACTIC = /^mitre_(.+)$/;
const TECHNIQUE = /^T\d{4}(\.\d{3})?$/;

/** Tags told apart: ATT&CK tactics and techniques, and the rest. */
export function attack(tags: string[]): { tactics: string[]; techniques: string[]; rest: string[] } {
  return {
    tactics: tags.flatMap((tag) => TACTIC.exec(tag)?.[1]?.replaceAll("_", " ") ?? []),
    techniques: tags.filter((tag) => TECHNIQUE.test(tag)),
    rest: tags.filter((tag) => !TACTIC.test(tag) && !TECHNIQUE.test(tag)),
  };
}

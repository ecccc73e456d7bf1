/** What the server answers; times are RFC 3339 texts. The contract is docs/api.md. */
import type { Counts, Severity } from "./severity";

export interface Page<T> {
  items: T[];
  next: string | null;
  total: number | null;
  /** Why this is not everything, when it is not. */
  partial: string | null;
}

export type Role = "viewer" | "responder" | "admin";

export interface Session {
  user: string;
  role: Role;
  teams: string[];
  csrf: string;
}

export type Status = "open" | "acknowledged" | "closed";

export interface Process {
  pid: number;
  name: string;
  exepath?: string;
  cmdline?: string;
  started?: string | number | null;
  user?: string;
}

export interface Action {
  kind: string;
  outcome: "done" | "dry_run" | "failed" | "withheld";
  detail?: string;
}

export interface Clause {
  text: string;
  holds: boolean;
  seen?: string | null;
  clauses?: Clause[];
}

/** Where something ran; what is not known is empty. */
export interface Place {
  node: string;
  namespace: string;
  kind: string;
  workload: string;
  pod: string;
  container: string;
}

/** A finding as lists carry it. */
export interface FindingItem {
  id: string;
  time: string;
  source: string;
  rule: string;
  priority: string;
  severity: Severity;
  message: string;
  node: string;
  status: Status;
  tags: string[];
  policy: string | null;
  actions: Action[];
  place: Place;
  image: string | null;
  process: Process | null;
  /** Events of the node that were lost up to this one. */
  lost: number;
}

export interface Note {
  at: string;
  by: string;
  text: string;
}

/** What a control would have done to the recorded event. */
export interface Stop {
  control: string;
  /** `stopped`, `not stopped`, `not reached`, `unknown`. */
  verdict: string;
  clause: string;
}

export interface Finding extends FindingItem {
  fields: Record<string, unknown>;
  lineage: Process[];
  why: Clause | null;
  triage: { status: Status; by: string | null; at: string | null };
  notes: Note[];
  related: FindingItem[];
  stops: Stop[];
  /** Whether the rule is in the library. */
  rule_known: boolean;
  respond: Offer;
}

/** What a person can have an agent do. */
export type Deed = "pause_container" | "resume_container" | "kill_process" | "stop_container" | "kill_container";

/** What a person had an agent do, or only say. */
export interface Response {
  id: string;
  finding: string;
  action: Deed;
  dry_run: boolean;
  by: string;
  at: string;
  state: "waiting" | "fetched" | "answered" | "not_fetched" | "unanswered";
  outcome: Action["outcome"] | null;
  detail: string | null;
  /** The first processes that it reached, or would reach. */
  processes: { pid: number; name: string; exe: string }[];
  total: number;
  answered: string | null;
}

export interface Offer {
  /** Why no agent can act, when none can. */
  unreachable: string | null;
  actions: { action: Deed; impossible: string | null }[];
  /** Oldest first. */
  responses: Response[];
}

export interface Bucket extends Counts {
  at: string;
}

export interface Histogram {
  /** Seconds of a bucket. */
  step: number;
  buckets: Bucket[];
  exact: boolean;
  partial: string | null;
}

export interface FacetValue {
  /** Null where the field has no value. */
  value: string | null;
  count: number;
}

export interface FacetAnswer {
  fields: Record<string, FacetValue[]>;
  partial: string | null;
}

/** Open findings of one rule at one place. */
export interface Group {
  rule: string;
  place: Place;
  counts: Counts;
  severity: Severity;
  total: number;
  first: string;
  last: string;
  /** Id of the newest. */
  latest: string;
}

export interface Overview {
  attention: Group[];
  counts: Counts;
  previous: Counts;
  workloads: { place: Place; counts: Counts }[];
  rules: { rule: string; count: number }[];
  nodes: { total: number; silent: number; dropping: number };
  trend: Histogram;
}

export type InsightKind = "cluster" | "namespace" | "workload" | "pod" | "node" | "container";

export interface InsightNode {
  /** The way from the root, such as `/n:shop/w:cart`. */
  id: string;
  name: string;
  kind: InsightKind;
  counts: Counts;
  denied: number;
  last: string | null;
  children: InsightNode[];
}

export interface Insights extends InsightNode {
  exact: boolean;
  partial: string | null;
}

export type ActivityKind = "command" | "connection" | "file" | "kubernetes";

export interface ActivityItem {
  id: string;
  time: string;
  node: string;
  kind: ActivityKind;
  place: Place;
  process: Process;
  parent: Process;
  session: string;
  fields: Record<string, unknown>;
}

export interface ActivitySession {
  session: string;
  place: Place;
  user: string;
  started: string;
  last: string;
  commands: number;
  files: number;
  connections: number;
  /** The request to the Kubernetes API that opened it. */
  opened_by: ActivityItem | null;
}

export interface ActivityBucket {
  at: string;
  command: number;
  connection: number;
  file: number;
  kubernetes: number;
}

/** A process of a tree, with what was found in it. */
export interface TreeNode {
  pid: number;
  name: string;
  exepath: string;
  cmdline: string;
  started: string | null;
  user: string;
  counts: Partial<Counts>;
  findings: { id: string; rule: string; severity: Severity; time: string }[];
  focal: boolean;
  children: TreeNode[];
}

export interface Tree {
  roots: TreeNode[];
  partial: string | null;
}

export interface Diagnostic {
  severity: "error" | "warning" | "info";
  line: number;
  column: number;
  end_column?: number | null;
  message: string;
  hint?: string | null;
}

export interface Policy {
  name: string;
  text: string;
  owner: string;
  by: string;
  note: string;
  version: number;
  updated: string;
}

export interface RuleItem {
  name: string;
  source: string;
  priority: string;
  severity: Severity;
  description: string;
  tags: string[];
  shipped: boolean;
  /** Whether this site has a text of its own for it. */
  overridden: boolean;
  enabled: boolean;
  updated?: string | null;
  owner?: string | null;
}

/** A kept text of a rule. */
export interface Version {
  version: number;
  at: string;
  by: string;
  note: string;
  owner: string;
  text: string;
}

export interface Rule extends RuleItem {
  text: string;
  shipped_text: string | null;
  version: number;
  diagnostics: Diagnostic[];
}

export interface Backtest {
  matched: number;
  scanned: number;
  sample: { rule: string; record: { id: string; time: string; node: string; message?: string; rule?: string; process?: Process | null } }[];
  /** Fields that the condition asks for and that no record kept. */
  unrecorded: string[];
  partial: string | null;
}

export interface ExceptionProposal {
  candidates: { field: string; value: string; suggested: boolean }[];
  yaml: string | null;
  text: string | null;
  diagnostics?: Diagnostic[];
  silenced: number | null;
  sample: FindingItem[];
  /** How far back was looked. */
  days: number;
  partial?: string | null;
}

export interface NodeStatus {
  name: string;
  first_seen: string;
  last_seen: string;
  silent: boolean;
  dropping: boolean;
  version: string;
  kernel: string;
  tier: string;
  canary: string;
  /** Version of the server's rules and policies that it works with; empty when it takes none. */
  bundle: string;
  bundle_problem: string;
  bundle_current: boolean;
  state: string;
  events: number;
  drops: Record<string, number>;
  lag_ms: number;
  spooled: number;
  more?: Record<string, unknown>;
}

export interface User {
  name: string;
  role: Role;
  teams: string[];
  disabled: boolean;
  has_password: boolean;
  openid: boolean;
  created: string;
}

export interface Token {
  id: string;
  name: string;
  user?: string;
  by?: string;
  role?: string;
  created: string;
  expires: string | null;
}

export interface Team {
  name: string;
  zone: string;
  description: string;
}

/** An entry of the audit log. */
export interface Change {
  at: string;
  by: string;
  peer: string;
  action: string;
  target: string;
  detail: unknown;
}

export interface SavedQuery {
  id: string;
  name: string;
  page: string;
  query: string;
  owner: string;
  /** The team that sees it; `*` for everyone, null for its owner only. */
  team: string | null;
  own: boolean;
}

/** A way to tell people. Secrets come as `********` and stay as they are when sent back so. */
export interface Channel {
  id?: string;
  name: string;
  enabled: boolean;
  filter: string;
  throttle_seconds: number;
  template?: string;
  to: { kind: string } & Record<string, unknown>;
  last_failure?: { at: string; message: string } | null;
}

/** The server's API, one function an endpoint. Paths and shapes: docs/api.md. */
import type { Field } from "./filter";
import { get, part, query, request } from "./http";
import type { Params } from "./http";
import type { Range } from "./time";
import { fromAnswer, type TreeAnswer } from "./tree";
import type {
  ActivityBucket,
  ActivityItem,
  ActivitySession,
  Backtest,
  Change,
  Channel,
  Deed,
  Diagnostic,
  ExceptionProposal,
  FacetAnswer,
  Finding,
  FindingItem,
  Histogram,
  Insights,
  NodeStatus,
  Overview,
  Page,
  Policy,
  Response,
  Rule,
  RuleItem,
  SavedQuery,
  Session,
  Status,
  Team,
  Token,
  Tree,
  User,
  Version,
} from "./types";

type Signal = AbortSignal | undefined;

export const signIn = (user: string, password: string) => request<Session>("POST", "/session", { user, password });
export const signInWithToken = (token: string) => request<Session>("POST", "/session", { token });
export const signInMethods = () => get<{ openid: unknown }>("/session/methods");

export const overview = (range: Range, signal?: Signal) => get<Overview>(`/overview${query({ ...range })}`, signal);

export interface FindingsQuery extends Range {
  filter: string;
  order?: string;
  cursor?: string;
  limit?: number;
  /** Also count all pages. */
  count?: boolean;
}
export const findings = (q: FindingsQuery, signal?: Signal) => get<Page<FindingItem>>(`/findings${query({ ...q })}`, signal);
export const finding = (id: string, signal?: Signal) => get<Finding>(`/findings/${part(id)}`, signal);
export const setStatus = (id: string, status?: Status, note?: string) =>
  request<unknown>("PATCH", `/findings/${part(id)}`, { ...(status ? { status } : {}), ...(note ? { note } : {}) });
export const respond = (id: string, action: Deed, rehearsal?: string) => request<Response>("POST", `/findings/${part(id)}/respond`, { action, ...(rehearsal ? { rehearsal } : {}) });
export const responses = (id: string, signal?: Signal) => get<Response[]>(`/findings/${part(id)}/responses`, signal);
export const histogram = (filter: string, range: Range, buckets: number, signal?: Signal) =>
  get<Histogram>(`/findings/histogram${query({ filter, ...range, buckets })}`, signal);
export const exportUrl = (format: string, filter: string, range: Range): string =>
  `/api/v1/findings/export${query({ format, filter, ...range })}`;
export const around = (id: string, seconds: number, signal?: Signal) =>
  get<{ before: ActivityItem[]; after: ActivityItem[]; cut: boolean }>(`/findings/${part(id)}/around${query({ seconds })}`, signal);
export const findingTree = async (id: string, signal?: Signal): Promise<Tree> => fromAnswer(await get<TreeAnswer>(`/findings/${part(id)}/tree`, signal));

/** The catalogue is asked for once; it also says which fields can be facets. */
interface Catalogue {
  fields: Field[];
  facets: string[];
}
let catalogue: Promise<Catalogue> | undefined;
export function fields(): Promise<Catalogue> {
  catalogue ??= get<Catalogue>("/fields").catch((error: unknown) => {
    catalogue = undefined;
    throw error;
  });
  return catalogue;
}
export async function facets(filter: string, range: Range, wanted: string[], signal?: Signal): Promise<FacetAnswer> {
  const known = (await fields()).facets;
  return get<FacetAnswer>(`/findings/facets${query({ filter, ...range, fields: wanted.filter((field) => known.includes(field)).join(",") })}`, signal);
}
export const checkFilter = (filter: string, signal?: Signal) => request<unknown>("POST", "/filter/check", { filter }, signal);

export const insights = (range: Range, view: string, signal?: Signal) => get<Insights>(`/insights${query({ ...range, view })}`, signal);

export interface ActivityQuery extends Range {
  filter?: string;
  kind?: string;
  session?: string;
  cursor?: string;
  limit?: number;
  order?: string;
}
export const activity = (q: ActivityQuery, signal?: Signal) => get<Page<ActivityItem>>(`/activity${query({ ...q } as Params)}`, signal);
export const activityHistogram = (q: ActivityQuery & { buckets: number }, signal?: Signal) =>
  get<{ buckets: ActivityBucket[]; partial: string | null }>(`/activity/histogram${query({ ...q } as Params)}`, signal);
export async function sessions(range: Range, signal?: Signal): Promise<ActivitySession[]> {
  const answer = await get<Page<ActivitySession> | ActivitySession[]>(`/activity/sessions${query({ ...range })}`, signal);
  return Array.isArray(answer) ? answer : answer.items;
}

interface Checked {
  diagnostics: Diagnostic[];
}
export const policies = (signal?: Signal) => get<Policy[]>("/policies", signal);
export const savePolicy = (name: string, text: string, note: string) => request<Policy>("PUT", `/policies/${part(name)}`, { text, note });
export const deletePolicy = (name: string) => request<void>("DELETE", `/policies/${part(name)}`);
export const checkPolicy = (text: string, signal?: Signal) => request<Checked>("POST", "/policies/check", { text }, signal);

export const rules = (signal?: Signal) => get<RuleItem[]>("/rules", signal);
export const rule = (name: string, signal?: Signal) => get<Rule>(`/rules/${part(name)}`, signal);
export const saveRule = (name: string, text: string, note: string) => request<Rule>("PUT", `/rules/${part(name)}`, { text, note });
export const resetRule = (name: string) => request<void>("DELETE", `/rules/${part(name)}`);
export const checkRule = (text: string, name: string | undefined, signal?: Signal) =>
  request<Checked>("POST", "/rules/check", { text, ...(name ? { name } : {}) }, signal);
export const backtest = (text: string, name: string | undefined, range: Range) =>
  request<Backtest>("POST", "/rules/backtest", { text, ...(name ? { name } : {}), ...range });
export const exception = (name: string, id: string, chosen: string[]) =>
  request<ExceptionProposal>("POST", `/rules/${part(name)}/exception`, { finding: id, fields: chosen });
export const ruleHistory = (name: string, signal?: Signal) => get<Version[]>(`/rules/${part(name)}/history`, signal);

export const nodes = (signal?: Signal) => get<NodeStatus[]>("/nodes", signal);

export const users = (signal?: Signal) => get<User[]>("/users", signal);
export const addUser = (user: { name: string; password: string; role: string; teams: string[] }) => request<User>("POST", "/users", user);
export const removeUser = (name: string) => request<void>("DELETE", `/users/${part(name)}`);
export const tokens = (signal?: Signal) => get<Token[]>("/tokens", signal);
export const addToken = (token: { name: string; role: string; days: number }) => request<{ token: string }>("POST", "/tokens", token);
export const removeToken = (id: string) => request<void>("DELETE", `/tokens/${part(id)}`);
export const joinTokens = (signal?: Signal) => get<Token[]>("/join-tokens", signal);
export const addJoinToken = (token: { name: string; days: number }) => request<{ token: string }>("POST", "/join-tokens", token);
export const removeJoinToken = (id: string) => request<void>("DELETE", `/join-tokens/${part(id)}`);
export const teams = (signal?: Signal) => get<Team[]>("/teams", signal);
export const addTeam = (team: { name: string; zone: string; description: string }) => request<Team>("POST", "/teams", team);
export const removeTeam = (name: string) => request<void>("DELETE", `/teams/${part(name)}`);
export const retention = (signal?: Signal) => get<Record<string, number>>("/settings/retention", signal);
export const setRetention = (value: Record<string, number>) => request<unknown>("PUT", "/settings/retention", value);
export const notifications = (signal?: Signal) => get<{ channels: Channel[] }>("/settings/notifications", signal);
export const setNotifications = (channels: Channel[]) => request<unknown>("PUT", "/settings/notifications", { channels });
export const testNotification = (id: string) => request<unknown>("POST", "/settings/notifications/test", { id });
export const auditLog = (q: Params, signal?: Signal) => get<Page<Change>>(`/audit-log${query(q)}`, signal);

export const queries = (signal?: Signal) => get<SavedQuery[]>("/queries", signal);
export const saveQuery = (saved: { name: string; page: string; query: string; team?: string }) => request<SavedQuery>("POST", "/queries", saved);
export const deleteQuery = (id: string) => request<void>("DELETE", `/queries/${part(id)}`);

import { expect, test } from "vitest";
import { deeds, isPaused, offered, settled, verdict } from "./respond";
import type { Deed, Finding, Response } from "./types";

const response = (action: Deed, more: Partial<Response> = {}): Response => ({
  id: "1", finding: "f", action, dry_run: false, by: "alice", at: "", state: "answered", outcome: "done", detail: "", processes: [], total: 0, answered: null, ...more,
});
const finding = (responses: Response[], impossible: Deed[] = []): Finding =>
  ({
    respond: {
      unreachable: null,
      actions: (["pause_container", "resume_container", "kill_process", "stop_container", "kill_container"] as Deed[]).map((action) => ({ action, impossible: impossible.includes(action) ? "why" : null })),
      responses,
    },
  }) as unknown as Finding;

test("a paused container is resumed and not paused again", () => {
  expect(offered(finding([]))).toEqual(["pause_container", "kill_process", "stop_container", "kill_container"]);
  const paused = finding([response("pause_container")]);
  expect(isPaused(paused)).toBe(true);
  expect(offered(paused)).toEqual(["resume_container", "kill_process", "stop_container", "kill_container"]);
  expect(isPaused(finding([response("pause_container"), response("resume_container")]))).toBe(false);
  expect(isPaused(finding([response("pause_container", { dry_run: true, outcome: "dry_run" })]))).toBe(false);
  expect(offered(finding([], ["kill_process"]))).not.toContain("kill_process");
});

test("only what was really ordered is told, newest first", () => {
  const all = [response("kill_process", { id: "a", dry_run: true }), response("kill_process", { id: "b" }), response("kill_container", { id: "c" })];
  expect(deeds(finding(all)).map((one) => one.id)).toEqual(["c", "b"]);
});

test("every end has its words", () => {
  expect(verdict(response("kill_process"))).toEqual(["Killed", "good"]);
  expect(verdict(response("kill_process", { outcome: "failed" }))).toEqual(["Failed", "bad"]);
  expect(verdict(response("kill_process", { state: "not_fetched", outcome: null }))[0]).toContain("did not come");
  expect(verdict(response("kill_process", { state: "unanswered", outcome: null }))[1]).toBe("bad");
});

test("an answer is waited for", async () => {
  const open = response("kill_process", { state: "waiting", outcome: null });
  let looks = 0;
  const look = () => Promise.resolve([++looks < 2 ? open : response("kill_process")]);
  expect((await settled(open, look, new AbortController().signal)).outcome).toBe("done");
  expect(looks).toBe(2);
});

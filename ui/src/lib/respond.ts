/** Acting on an event: what can be done, in words, and waiting for an agent's answer. */
import type { Deed, Finding, Response } from "./types";

/** What a button says, and what a person must know before. */
export const DEEDS: Record<Deed, { label: string; done: string; note: string }> = {
  pause_container: { label: "Pause the container", done: "Paused", note: "Freezes every process of it. Can be undone; memory stays as it is for a look." },
  resume_container: { label: "Resume the container", done: "Resumed", note: "Lets its processes go on." },
  kill_process: { label: "Kill the process", done: "Killed", note: "Only this one; what it started goes on." },
  stop_container: { label: "Stop the container", done: "Stopped", note: "Asks it to end, then kills what is left. Its controller may start another." },
  kill_container: { label: "Kill the container", done: "Killed", note: "Ends every process of it at once. Its controller may start another." },
};

const OPEN = new Set(["waiting", "fetched"]);
export const isOpen = (response: Response): boolean => OPEN.has(response.state);

/** How a response ended, in words and in tone. */
export function verdict(response: Response): [string, string] {
  switch (response.state) {
    case "waiting":
      return ["Waiting for the agent", ""];
    case "fetched":
      return ["At work", ""];
    case "not_fetched":
      return ["Not done: the agent did not come for it", "warn"];
    case "unanswered":
      return ["Unknown: the agent was not heard again", "bad"];
  }
  switch (response.outcome) {
    case "done":
      return [DEEDS[response.action].done, "good"];
    case "dry_run":
      return ["Only tried", ""];
    case "withheld":
      return ["Withheld", "warn"];
    default:
      return ["Failed", "bad"];
  }
}

/** What people really did, newest first: rehearsals that came to nothing are no news. */
export const deeds = (finding: Finding): Response[] => finding.respond.responses.filter((one) => !one.dry_run).reverse();

/** Whether the container is paused, as far as responses to this event tell. */
export function isPaused(finding: Finding): boolean {
  const last = deeds(finding).find((one) => one.outcome === "done" && one.action.endsWith("_container"));
  return last?.action === "pause_container";
}

/** Actions that make sense now, the gentlest first. */
export function offered(finding: Finding): Deed[] {
  const paused = isPaused(finding);
  return finding.respond.actions
    .filter((one) => one.impossible === null)
    .map((one) => one.action)
    .filter((action) => (action === "resume_container" ? paused : action !== "pause_container" || !paused));
}

/** How often an answer is looked for, and how long: the server gives an agent 60 seconds to come for an order. */
const LOOK_MS = 300;
const PATIENCE_MS = 90_000;

/** Waits until a response is over. `look` gives the finding's responses. */
export async function settled(response: Response, look: () => Promise<Response[]>, signal: AbortSignal): Promise<Response> {
  const begun = Date.now();
  let latest = response;
  while (isOpen(latest) && Date.now() - begun < PATIENCE_MS && !signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    latest = (await look()).find((one) => one.id === response.id) ?? latest;
  }
  return latest;
}

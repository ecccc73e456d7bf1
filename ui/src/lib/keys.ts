/** Keyboard commands: what they are is listed once, here, for the handler and for the cheat sheet. */

export interface Shortcut {
  keys: string;
  what: string;
  where: string;
}

export const SHORTCUTS: Shortcut[] = [
  { keys: "?", what: "This list", where: "Everywhere" },
  { keys: "Ctrl K", what: "Go to or do anything", where: "Everywhere" },
  { keys: "/", what: "Into the filter or search box", where: "Everywhere" },
  { keys: "Esc", what: "Out of a box or dialog", where: "Everywhere" },
  { keys: "g h", what: "Home", where: "Go to" },
  { keys: "g i", what: "Insights", where: "Go to" },
  { keys: "g e", what: "Events", where: "Go to" },
  { keys: "g a", what: "Activity", where: "Go to" },
  { keys: "g r", what: "Rules", where: "Go to" },
  { keys: "g p", what: "Policies", where: "Go to" },
  { keys: "g n", what: "Nodes", where: "Go to" },
  { keys: "g s", what: "Settings", where: "Go to" },
  { keys: "j / k", what: "Next, previous event", where: "Events" },
  { keys: "Enter", what: "Open the event that has the focus", where: "Events" },
  { keys: "x", what: "Select the event", where: "Events" },
  { keys: "a", what: "Acknowledge", where: "Events and event page" },
  { keys: "e", what: "Write an exception", where: "Event page" },
  { keys: "l", what: "Live on, pause, resume", where: "Events" },
  { keys: "t", what: "Process tree on its own page; on Insights: map or table", where: "Event page, Insights" },
  { keys: "↑ ↓ ← →", what: "Out, in, previous, next", where: "Insights map" },
];

/** Screens behind `g …`. */
const PLACES: Record<string, string> = {
  h: "/",
  i: "/insights",
  e: "/events",
  a: "/activity",
  r: "/rules",
  p: "/policies",
  n: "/nodes",
  s: "/settings",
};

const OFF_KEY = "vedette.keys";

/** Whether single-letter shortcuts are on. Speech input and slips of the hand may want them off (WCAG 2.1.4). */
export function lettersOn(): boolean {
  try {
    return localStorage.getItem(OFF_KEY) !== "off";
  } catch {
    return true;
  }
}
export function setLetters(on: boolean): void {
  try {
    localStorage.setItem(OFF_KEY, on ? "on" : "off");
  } catch {
    // then they stay as they are
  }
}

/** How long the second key of `g e` may take. */
const CHORD_MS = 1200;

type Handler = (event: KeyboardEvent) => void;
const handlers: Record<string, Handler>[] = [];

/** Registers a screen's keys; gives back how to take them away. Later ones win. */
export function bind(map: Record<string, Handler>): () => void {
  handlers.push(map);
  return () => {
    const index = handlers.indexOf(map);
    if (index >= 0) handlers.splice(index, 1);
  };
}

/** Whether a key belongs to what has the focus. */
function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Listens on the whole page. */
export function install(go: (path: string) => void): void {
  let chord = 0;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented) return;
    const command = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k";
    const name = command ? "Ctrl K" : event.key;
    if (!command && (event.ctrlKey || event.metaKey || event.altKey || typing(event.target))) return;
    if (document.querySelector("dialog[open]") && !command) return;
    if (!command && event.key.length === 1 && !lettersOn()) return;
    if (!command && chord && Date.now() - chord < CHORD_MS) {
      chord = 0;
      const place = PLACES[event.key];
      if (place) {
        event.preventDefault();
        go(place);
      }
      return;
    }
    chord = 0;
    if (name === "g") {
      chord = Date.now();
      return;
    }
    const handler = handlers.findLast((map) => map[name])?.[name];
    if (handler) {
      event.preventDefault();
      handler(event);
    }
  });
}

/** State that outlives a screen: who is signed in, theme, clock, messages. */
import { onSignedOut, request, setCsrf } from "./http";
import type { Role, Session } from "./types";

export type Theme = "system" | "light" | "dark";

const THEME_KEY = "vedette.theme";
const RAIL_KEY = "vedette.rail";
/** Says that somebody signed in here, so that a first visit asks nothing that is known to be refused. */
const SIGNED_KEY = "vedette.signed-in";

function stored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
function store(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // a browser that keeps nothing still works
  }
}

export interface Toast {
  id: number;
  text: string;
  tone: "good" | "bad";
  undo?: () => void;
}

/** How long a message stays; long enough to read and to reach its button. */
const TOAST_MS = 8000;
/** How often "3 min ago" is counted anew. */
const CLOCK_MS = 10_000;

const RANK: Record<Role, number> = { viewer: 0, responder: 1, admin: 2 };

class App {
  session = $state<Session | null>(null);
  /** Whether it is known yet if somebody is signed in. */
  known = $state(false);
  now = $state(Date.now());
  theme = $state<Theme>((stored(THEME_KEY) as Theme | null) ?? "system");
  narrowRail = $state(stored(RAIL_KEY) === "narrow");
  toasts = $state<Toast[]>([]);
  palette = $state(false);
  cheatsheet = $state(false);
  menu = $state(false);
  private counter = 0;

  may(role: Role): boolean {
    return this.session !== null && RANK[this.session.role] >= RANK[role];
  }

  say(text: string, tone: "good" | "bad" = "good", undo?: () => void): void {
    const id = ++this.counter;
    this.toasts = [...this.toasts.slice(-2), { id, text, tone, ...(undo ? { undo } : {}) }];
    setTimeout(() => this.unsay(id), TOAST_MS);
  }
  unsay(id: number): void {
    this.toasts = this.toasts.filter((toast) => toast.id !== id);
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    store(THEME_KEY, theme);
    this.paint();
  }
  paint(): void {
    const dark = this.theme === "dark" || (this.theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  }
  toggleRail(): void {
    this.narrowRail = !this.narrowRail;
    store(RAIL_KEY, this.narrowRail ? "narrow" : "wide");
  }

  async open(): Promise<void> {
    if (stored(SIGNED_KEY) !== "yes") {
      this.known = true;
      return;
    }
    try {
      this.signedIn(await request<Session>("GET", "/session"));
    } catch {
      this.session = null;
    }
    this.known = true;
  }
  /** Before a provider takes over: it sends people back with a session of which this page knows nothing yet. */
  expectSession(): void {
    store(SIGNED_KEY, "yes");
  }
  signedIn(session: Session): void {
    this.session = session;
    store(SIGNED_KEY, "yes");
    setCsrf(session.csrf ?? "");
  }
  async signOut(): Promise<void> {
    try {
      await request("DELETE", "/session");
    } finally {
      store(SIGNED_KEY, "no");
      this.session = null;
    }
  }

  start(): void {
    this.paint();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.paint());
    setInterval(() => (this.now = Date.now()), CLOCK_MS);
    onSignedOut(() => (this.session = null));
    void this.open();
  }
}

export const app = new App();

/** Where we are: the path picks the screen, the query holds its whole state, so that every view is a link. */

class Route {
  path = $state(location.pathname);
  search = $state(location.search);
  params = $derived(new URLSearchParams(this.search));

  get(name: string, otherwise = ""): string {
    return this.params.get(name) ?? otherwise;
  }
}

export const route = new Route();

function sync(): void {
  route.path = location.pathname;
  route.search = location.search;
}

/** Goes to an address of this page. */
export function go(href: string, replace = false): void {
  const same = new URL(href, location.href).pathname === location.pathname;
  history[replace ? "replaceState" : "pushState"](null, "", href);
  sync();
  if (!same) {
    window.scrollTo(0, 0);
    // a new screen is announced by moving focus to its heading
    requestAnimationFrame(() => document.getElementById("screen")?.focus({ preventScroll: true }));
  }
}

/** Changes parameters of the present screen; empty values leave the address. */
export function setParams(changes: Record<string, string | null | undefined>, replace = true): void {
  const params = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(changes)) {
    if (value) params.set(key, value);
    else params.delete(key);
  }
  const text = params.toString();
  go(`${location.pathname}${text ? `?${text}` : ""}`, replace);
}

/** The address of a screen that keeps the time range of this one. */
export function href(path: string, params: Record<string, string | null | undefined> = {}): string {
  const out = new URLSearchParams();
  for (const key of ["from", "to"]) {
    const value = route.params.get(key);
    if (value) out.set(key, value);
  }
  for (const [key, value] of Object.entries(params)) {
    if (value) out.set(key, value);
    else out.delete(key);
  }
  const text = out.toString();
  return `${path}${text ? `?${text}` : ""}`;
}

/** Makes plain links of the page change the screen without loading it anew. */
export function install(): void {
  addEventListener("popstate", sync);
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest?.("a");
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.pathname.startsWith("/api/") || link.getAttribute("href")?.startsWith("#")) return;
    event.preventDefault();
    go(link.href);
  });
}

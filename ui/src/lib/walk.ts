/** The list that an event was opened from, so that its page can go on to the next one. */
let ids: string[] = [];

export function remember(list: string[]): void {
  ids = list;
}

/** The events before and after one in the list it was opened from. */
export function neighbours(id: string): { previous: string | null; next: string | null } {
  const at = ids.indexOf(id);
  if (at < 0) return { previous: null, next: null };
  return { previous: ids[at - 1] ?? null, next: ids[at + 1] ?? null };
}

/** Severities: their order, words and shapes. Colour comes from the tokens of the same names. */

export const SEVERITIES = ["critical", "high", "medium", "low", "info"] as const;
export type Severity = (typeof SEVERITIES)[number];
export type Counts = Record<Severity, number>;

/** What an empty count looks like. */
export const ZERO: Counts = { critical: 0, high: 0, medium: 0, low: 0, info: 0 };

export const LABEL: Record<Severity, string> = {
  critical: "Critical",
  high: "High",
  medium: "Medium",
  low: "Low",
  info: "Info",
};

/** SVG paths in a 12 × 12 box: each severity has a shape of its own, so that nothing depends on colour. */
export const SHAPE: Record<Severity, string> = {
  critical: "M6 0.5 11.5 6 6 11.5 0.5 6Z",
  high: "M6 1 11.4 10.8H0.6Z",
  medium: "M1.6 1.6H10.4V10.4H1.6Z",
  low: "M6 1.2A4.8 4.8 0 1 1 6 10.8 4.8 4.8 0 1 1 6 1.2Z",
  info: "M6 1.2A4.8 4.8 0 1 1 6 10.8 4.8 4.8 0 1 1 6 1.2ZM6 3.4A2.6 2.6 0 1 0 6 8.6 2.6 2.6 0 1 0 6 3.4Z",
};

/** How many in all. */
export function total(counts: Partial<Counts> | undefined): number {
  return SEVERITIES.reduce((sum, severity) => sum + (counts?.[severity] ?? 0), 0);
}

/** The worst severity that occurs, if any does. */
export function worst(counts: Partial<Counts> | undefined): Severity | null {
  return SEVERITIES.find((severity) => (counts?.[severity] ?? 0) > 0) ?? null;
}

/** Counts in words, worst first: "2 critical, 5 low". */
export function inWords(counts: Partial<Counts> | undefined): string {
  const said = SEVERITIES.filter((severity) => (counts?.[severity] ?? 0) > 0).map(
    (severity) => `${counts?.[severity]} ${severity}`,
  );
  return said.length ? said.join(", ") : "no findings";
}

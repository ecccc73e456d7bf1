/** The live stream: findings as they come, with resume, pause, a bounded buffer and an honest count of what was lost. */
import { query } from "./http";
import type { FindingItem } from "./types";

/** Findings kept while paused; older ones are dropped and counted, so that a forgotten tab stays small. */
const MOST_BUFFERED = 500;

export type LiveState = "off" | "connecting" | "live" | "paused" | "lost";

export class Live {
  state = $state<LiveState>("off");
  buffered = $state<FindingItem[]>([]);
  dropped = $state(0);
  gap = $state(false);
  private source: EventSource | undefined;
  private paused = false;

  constructor(private readonly take: (items: FindingItem[]) => void) {}

  start(filter: string): void {
    this.stop();
    this.state = "connecting";
    const source = new EventSource(`/api/v1/stream${query({ filter })}`);
    this.source = source;
    source.onopen = () => (this.state = this.paused ? "paused" : "live");
    // EventSource resumes by itself with Last-Event-ID
    source.onerror = () => (this.state = source.readyState === EventSource.CLOSED ? "lost" : "connecting");
    source.addEventListener("finding", (event) => this.arrived(JSON.parse((event as MessageEvent<string>).data) as FindingItem));
    source.addEventListener("gap", () => (this.gap = true));
  }

  private arrived(item: FindingItem): void {
    if (!this.paused) {
      this.take([item]);
      return;
    }
    if (this.buffered.length >= MOST_BUFFERED) {
      this.dropped++;
      this.buffered = [item, ...this.buffered.slice(0, -1)];
    } else {
      this.buffered = [item, ...this.buffered];
    }
  }

  pause(): void {
    if (this.state === "off") return;
    this.paused = true;
    this.state = "paused";
  }
  resume(): void {
    this.paused = false;
    if (this.state === "paused") this.state = "live";
    if (this.buffered.length) this.take(this.buffered);
    this.buffered = [];
    this.dropped = 0;
  }
  stop(): void {
    this.source?.close();
    this.source = undefined;
    this.paused = false;
    this.buffered = [];
    this.dropped = 0;
    this.gap = false;
    this.state = "off";
  }
}

/** Data of a screen and the state it is in: loading, ready, stale (an older answer), error, forbidden. */
import { untrack } from "svelte";
import { ApiError } from "./http";

export type Phase = "loading" | "ready" | "stale" | "error" | "forbidden";

export interface Resource<T> {
  readonly phase: Phase;
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
  /** When the present data came, in milliseconds. */
  readonly at: number;
  /** Whether a request is under way. */
  readonly busy: boolean;
  reload(): Promise<void>;
  set(data: T): void;
}

/** How long to wait before asking again after the server did not answer. */
const RETRY_MS = 4000;

/**
 * Loads what `load` gives and again whenever a rune it reads before its first `await` changes.
 * An answer that was overtaken by a newer question is dropped. Call it while a component is set up.
 */
export function resource<T>(load: (signal: AbortSignal) => Promise<T> | undefined, options: { every?: number } = {}): Resource<T> {
  let phase = $state<Phase>("loading");
  let data = $state.raw<T | undefined>(undefined);
  let error = $state.raw<ApiError | undefined>(undefined);
  let at = $state(0);
  let busy = $state(false);
  let controller: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function settle(promise: Promise<T> | undefined, own: AbortController): Promise<void> {
    if (!promise) return;
    busy = true;
    try {
      const answer = await promise;
      if (own.signal.aborted) return;
      data = answer;
      error = undefined;
      at = Date.now();
      phase = "ready";
    } catch (cause) {
      if (own.signal.aborted) return;
      error = cause instanceof ApiError ? cause : new ApiError(0, "page", cause instanceof Error ? cause.message : String(cause));
      phase = error.status === 403 ? "forbidden" : data !== undefined && error.status === 0 ? "stale" : "error";
      if (error.status === 0 || error.status >= 500) timer = setTimeout(() => void run(), RETRY_MS);
    } finally {
      if (!own.signal.aborted) busy = false;
    }
    if (options.every && phase === "ready") timer = setTimeout(() => document.hidden || void run(), options.every);
  }

  function begin(): [Promise<T> | undefined, AbortController] {
    controller?.abort();
    clearTimeout(timer);
    controller = new AbortController();
    return [load(controller.signal), controller];
  }
  async function run(): Promise<void> {
    await settle(...begin());
  }

  $effect(() => {
    const [promise, own] = begin();
    // only what `load` reads is a reason to load again, not what comes of it
    untrack(() => void settle(promise, own));
    return () => {
      own.abort();
      clearTimeout(timer);
    };
  });
  // a page that was hidden refreshes when it is looked at again
  $effect(() => {
    const wake = () => {
      if (!document.hidden && options.every && Date.now() - at > options.every) void run();
    };
    document.addEventListener("visibilitychange", wake);
    return () => document.removeEventListener("visibilitychange", wake);
  });

  return {
    get phase() {
      return phase;
    },
    get data() {
      return data;
    },
    get error() {
      return error;
    },
    get at() {
      return at;
    },
    get busy() {
      return busy;
    },
    reload: run,
    set(value: T) {
      data = value;
      phase = "ready";
    },
  };
}

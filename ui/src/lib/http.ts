/** Requests to the server that this page came from, and to no other. */

/** What went wrong, in the server's words. */
export class ApiError extends Error {
  constructor(
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    readonly code: string,
    message: string,
    /** Where in the text that was sent, counted from 1. */
    readonly column: number | null = null,
    readonly hint: string | null = null,
  ) {
    super(message);
  }
}

/** Called when the session has ended, so that the sign-in screen can show. */
let signedOut: () => void = () => {};
let csrf = "";

export function onSignedOut(then: () => void): void {
  signedOut = then;
}
export function setCsrf(token: string): void {
  csrf = token;
}

/** Parameters of a request: empty ones are left out. */
export type Params = Record<string, string | number | boolean | null | undefined>;

export function query(params: Params): string {
  const out = new URLSearchParams();
  for (const [key, value] of Object.entries(params)) {
    if (value !== undefined && value !== null && value !== "") out.set(key, String(value));
  }
  const text = out.toString();
  return text ? `?${text}` : "";
}

/** A path part that may hold anything. */
export const part = encodeURIComponent;

async function failure(response: Response): Promise<ApiError> {
  try {
    const body = (await response.json()) as { error?: { code?: string; message?: string; column?: number; hint?: string } };
    const error = body.error ?? {};
    return new ApiError(response.status, error.code ?? "error", error.message ?? response.statusText, error.column ?? null, error.hint ?? null);
  } catch {
    return new ApiError(response.status, "error", `The server answered ${response.status} ${response.statusText}`.trim());
  }
}

/** Sends a request below `/api/v1` and gives the answer's JSON. Throws `ApiError`. */
export async function request<T>(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && csrf) headers["X-CSRF-Token"] = csrf;
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      headers,
      credentials: "same-origin",
      ...(body !== undefined ? { body: JSON.stringify(body) } : {}),
      ...(signal ? { signal } : {}),
    });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError(0, "unreachable", "The server does not answer.", null, "It may be restarting; this page tries again by itself.");
  }
  if (!response.ok) {
    const error = await failure(response);
    if (response.status === 401 && path !== "/session") signedOut();
    throw error;
  }
  if (response.status === 204) return undefined as T;
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

export const get = <T>(path: string, signal?: AbortSignal): Promise<T> => request<T>("GET", path, undefined, signal);

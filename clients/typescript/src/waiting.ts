import { AuthApiError } from "./errors.js";

const ATTEMPTS = 3;
const LONGEST_WAIT = 5; // seconds
const DEFAULT_WAIT = 0.5; // seconds, after a response without Retry-After and a failed connection
const JITTER = 0.5; // seconds

/** Whether the same request may succeed later. */
export function isTemporary(error: unknown): boolean {
  if (error instanceof AuthApiError) return error.status === 429 || error.status === 503;
  // `fetch` throws a TypeError if the network fails, and the reason if a signal aborts it.
  return error instanceof TypeError || isTimeout(error);
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === "TimeoutError";
}

/** Runs the call up to three times, and waits for the `Retry-After` time between the attempts. */
export async function retrying<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const wait = waitAfter(error);
      if (attempt === ATTEMPTS || wait > LONGEST_WAIT || !isTemporary(error)) throw error;
      await abortable(delay(wait + Math.random() * JITTER), signal);
    }
  }
}

/** The seconds to wait after a failed attempt. A timeout was a wait. */
function waitAfter(error: unknown): number {
  if (isTimeout(error)) return 0;
  return (error instanceof AuthApiError && error.retryAfter) || DEFAULT_WAIT;
}

/** Waits for the promise until the signal aborts, which rejects with the signal's reason. */
export function abortable<T>(promise: Promise<T>, signal?: AbortSignal | null): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function delay(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000));
}

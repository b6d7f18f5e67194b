import type { ErrorCode, Problem } from "./types.js";

/** The service rejected a call. Failures of the network are `TypeError`s, as those of `fetch`. */
export class AuthApiError extends Error {
  /** The stable code of the problem, or `unknown` if the response contains none. */
  readonly code: ErrorCode | "unknown";
  /** The HTTP status. */
  readonly status: number;
  /** The body of the response, with the invalid fields in `errors`. */
  readonly problem: Problem | undefined;
  /** Seconds after which the call can be repeated, from `Retry-After`. */
  readonly retryAfter: number | undefined;

  constructor(status: number, problem?: Problem, retryAfter?: number) {
    const text = `The response has the status ${status}`;
    super(problem ? `${problem.title}: ${problem.detail}` : text);
    this.name = "AuthApiError";
    this.code = problem?.code ?? "unknown";
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }
}

/** Reads the problem of an error response; undefined if the body contains none. */
export async function problemOf(response: Response): Promise<Problem | undefined> {
  try {
    const body = await response.json();
    return typeof body?.code === "string" ? body : undefined;
  } catch {
    return undefined;
  }
}

/** Returns a successful response, and throws the problem of any other. */
export async function expectSuccess(response: Response): Promise<Response> {
  if (response.ok) return response;
  const seconds = Number(response.headers.get("Retry-After") ?? NaN);
  const retryAfter = seconds >= 0 ? seconds : undefined;
  throw new AuthApiError(response.status, await problemOf(response), retryAfter);
}

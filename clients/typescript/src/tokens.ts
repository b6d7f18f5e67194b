import type { components } from "./openapi.js";

type Schemas = components["schemas"];
/** A token pair, without the refresh token in cookie mode. */
export type IssuedTokens = Schemas["AccessToken"] &
  Partial<Pick<Schemas["TokenPair"], "refresh_token">>;

// A token is replaced when it has less than this left.
const REFRESH_BEFORE = 60; // seconds
const REFRESH_BEFORE_SHARE = 0.1; // of a short lifetime
const REFRESH_AGAIN = 15; // seconds after a refresh that failed

/**
 * The tokens of a session. The lifetime is counted from the request on the monotonic clock, so
 * that a wrong or adjusted wall clock does not matter.
 */
export class Tokens {
  readonly access: string;
  readonly refresh: string | undefined;
  /** The ids of the user and of the session, or undefined if the access token is not readable. */
  readonly owner: string | undefined;
  #refreshAt: number;
  readonly #expiresAt: number;

  /** `requestedAt` is the value of `performance.now()` before the request was sent. */
  constructor(issued: IssuedTokens, requestedAt: number, refresh?: string) {
    this.access = issued.access_token;
    this.refresh = issued.refresh_token ?? refresh;
    this.owner = ownerOf(issued.access_token);
    this.#expiresAt = requestedAt + issued.expires_in * 1000;
    this.#refreshAt =
      this.#expiresAt - Math.min(REFRESH_BEFORE, issued.expires_in * REFRESH_BEFORE_SHARE) * 1000;
  }

  /** Whether the access token must not be used any more. */
  get expired(): boolean {
    return performance.now() >= this.#expiresAt;
  }

  /**
   * Whether the caller should replace the access token, which still works. After that returns false
   * for 15 seconds, so that calls do not repeat a refresh that an overloaded service rejects.
   */
  claimRefresh(): boolean {
    const now = performance.now();
    if (now < this.#refreshAt) return false;
    this.#refreshAt = now + REFRESH_AGAIN * 1000;
    return true;
  }
}

/** Reads the claims `sub` and `sid` of a JWT (RFC 9068, section 2.2), without a verification. */
function ownerOf(token: string): string | undefined {
  try {
    const payload = token.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/");
    const { sub, sid } = JSON.parse(atob(payload));
    return `${sub} ${sid}`;
  } catch {
    return undefined;
  }
}

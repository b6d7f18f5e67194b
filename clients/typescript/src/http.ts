/** Sends requests to the service. */
export class Http {
  /** The absolute URL of the service, without a slash at its end. */
  readonly base: string;
  /** The settings of requests whose responses set cookies, or that need them. */
  readonly credentials: RequestCredentials;
  readonly #send: typeof fetch;

  constructor(base: string, cookies: boolean, send: typeof fetch) {
    this.base = base;
    this.credentials = cookies ? "include" : "omit";
    this.#send = send;
  }

  /** Sends a request to an endpoint of the service. */
  call(path: string, init: RequestInit): Promise<Response> {
    return this.#send(this.base + path, { credentials: this.credentials, ...init });
  }

  /** Sends the request to any API, with the access token if there is one. */
  authorized(request: Request, accessToken: string | undefined): Promise<Response> {
    if (accessToken) request.headers.set("Authorization", bearer(accessToken));
    return this.#send(request);
  }
}

/** The value of an `Authorization` header (RFC 6750, section 2.1). */
export function bearer(token: string): string {
  return `Bearer ${token}`;
}

/** A request with a JSON body. */
export function json(
  method: string,
  body: unknown,
  signal: AbortSignal | undefined,
  headers: Record<string, string> = {},
): RequestInit {
  return {
    method,
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
    signal: signal ?? null,
  };
}

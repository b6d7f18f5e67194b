import { AuthApiError, expectSuccess, problemOf } from "./errors.js";
import { Http, bearer, json } from "./http.js";
import { Overlaps } from "./overlaps.js";
import { SessionStore } from "./store.js";
import { Tabs, type TabMessage } from "./tabs.js";
import { type IssuedTokens, Tokens } from "./tokens.js";
import type {
  AuthClient,
  CallOptions,
  ChangePasswordRequest,
  ClientOptions,
  LoginRequest,
  LogoutOptions,
  Me,
  ReauthenticateRequest,
  RegisterRequest,
  User,
} from "./types.js";
import { abortable, retrying } from "./waiting.js";

// The codes of rejected access tokens after which a refresh may help, or shows that the session
// has ended.
const REFRESHABLE = ["token_expired", "token_outdated", "token_invalid", "token_revoked"];
// Three attempts, with the waits between them, start within the 10 seconds in which the service
// repeats a refresh whose response was lost (docs/tokens.md, "Grace window").
const REFRESH_TIMEOUT = 4_000; // ms

/** Reads a response to a request of the session whose end the signal reports. */
type Read<T> = (response: Response, ended: AbortSignal) => T | Promise<T>;

export class BrowserClient implements AuthClient {
  readonly #http: Http;
  readonly #cookies: boolean;
  readonly #trusted: Set<string | undefined>;
  readonly #store: SessionStore;
  readonly #tabs: Tabs;
  readonly #overlaps = new Overlaps(() => this.#repeat());
  #refreshing: { ended: AbortSignal; done: Promise<void> } | undefined;
  // Logins that were sent before a logout must not open a session after it.
  #logouts = 0;
  // Tokens of a session whose end the service has not confirmed.
  #unconfirmedEnd: Tokens | undefined;
  #deviceToken: string | undefined;

  constructor(options: ClientOptions) {
    if (!["memory", "cookie"].includes(options.refresh)) {
      throw new TypeError(`refresh must be "memory" or "cookie", not ${options.refresh}`);
    }
    const page = globalThis.location as Location | undefined;
    if (!URL.canParse(options.baseUrl, page?.href)) {
      throw new TypeError(`baseUrl must be a URL, or in a page a path, not ${options.baseUrl}`);
    }
    const base = new URL(options.baseUrl, page?.href);
    this.#cookies = options.refresh === "cookie";
    const others = (options.apiOrigins ?? []).map(originOf);
    this.#trusted = new Set([base.origin, page?.origin, ...others]);
    const send = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#http = new Http(base.href.replace(/\/$/, ""), this.#cookies, send);
    this.#store = new SessionStore({ status: this.#cookies ? "unknown" : "anonymous" });
    this.#tabs = new Tabs(this.#http.base, (message) => this.#receive(message));
    this.getSession = this.#store.get;
    this.subscribe = this.#store.subscribe;
  }

  readonly getSession: AuthClient["getSession"];
  readonly subscribe: AuthClient["subscribe"];

  readonly register = async (
    account: RegisterRequest,
    options: CallOptions = {},
  ): Promise<User> => {
    const response = await this.#http.call("/register", json("POST", account, options.signal));
    return (await expectSuccess(response)).json();
  };

  readonly login = async (credentials: LoginRequest, options: CallOptions = {}): Promise<void> => {
    const path = this.#cookies ? "/login?refresh_cookie=true&device_cookie=true" : "/login";
    const device = this.#deviceToken ? { "Device-Token": this.#deviceToken } : {};
    const logouts = this.#logouts;
    const requestedAt = performance.now();
    const sent = await this.#http.call(path, json("POST", credentials, options.signal, device));
    await this.#open(sent, requestedAt, () => logouts !== this.#logouts);
  };

  readonly changePassword = async (
    passwords: ChangePasswordRequest,
    options: CallOptions = {},
  ): Promise<void> => {
    const query = this.#cookies ? "?refresh_cookie=true&device_cookie=true" : "";
    const requestedAt = performance.now();
    const init = json("PUT", passwords, options.signal);
    await this.#request(`/me/password${query}`, init, (response, ended) =>
      this.#open(response, requestedAt, () => ended.aborted),
    );
  };

  readonly reauthenticate = async (
    request: ReauthenticateRequest,
    options: CallOptions = {},
  ): Promise<void> => {
    const requestedAt = performance.now();
    const init = json("POST", request, options.signal);
    const issued = await this.#request("/me/reauthenticate", init, successOf<IssuedTokens>);
    this.#store.renew(new Tokens(issued, requestedAt, this.#store.tokens?.refresh));
  };

  readonly me = async (options: CallOptions = {}): Promise<Me> => {
    return this.#request("/me", { signal: options.signal ?? null }, successOf<Me>);
  };

  readonly fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    const origin = originOf(request.url);
    if (!this.#trusted.has(origin)) throw new TypeError(`${origin} is not in apiOrigins`);
    return this.#authorized(request, (response, ended) => {
      ended.throwIfAborted();
      return response;
    });
  };

  readonly restore = async (): Promise<boolean> => {
    const { tokens, ended } = this.#store;
    if (this.#cookies && !tokens) {
      await this.#refresh().catch((error) => {
        // A 401 ends the session, and so does a login or a logout meanwhile.
        if (!ended.aborted) throw error;
      });
      if (this.getSession().status === "unknown") return this.restore();
    }
    return this.#store.tokens !== undefined;
  };

  readonly logout = async (options: LogoutOptions = {}): Promise<void> => {
    const tokens = (this.#unconfirmedEnd = this.#store.tokens ?? this.#unconfirmedEnd);
    this.#logouts++;
    this.#store.close({ status: "anonymous" });
    this.#tabs.publish("logout");
    await this.#end(tokens, options);
    this.#unconfirmedEnd = undefined;
  };

  readonly close = (): void => {
    this.#tabs.close();
    this.#overlaps.cancel();
  };

  #request<T>(path: string, init: RequestInit, read: Read<T>): Promise<T> {
    const { base, credentials } = this.#http;
    return this.#authorized(new Request(base + path, { credentials, ...init }), read);
  }

  /** Sends the request with a valid access token, and once more if the token is rejected. */
  async #authorized<T>(request: Request, read: Read<T>): Promise<T> {
    await this.#ready(request.signal);
    const { tokens, ended } = this.#store;
    const response = await this.#http.authorized(request.clone(), tokens?.access);
    // A response without a session is of no user, so that a login does not make it stale.
    if (!tokens) return read(response, new AbortController().signal);
    const refreshable = response.status === 401 && (await isRefreshable(response.clone()));
    if (!refreshable) return read(response, ended);
    if (this.#store.tokens === tokens) await abortable(this.#refresh(), request.signal);
    ended.throwIfAborted();
    await response.body?.cancel();
    return read(await this.#http.authorized(request, this.#store.tokens?.access), ended);
  }

  /** Waits until a request can be sent. */
  async #ready(signal: AbortSignal): Promise<void> {
    const { tokens, ended } = this.#store;
    if (!tokens) {
      if (this.getSession().status === "unknown") await abortable(this.restore(), signal);
    } else if (tokens.expired) {
      await abortable(this.#refresh(), signal);
      // The request belongs to the session that has ended, not to a new one.
      ended.throwIfAborted();
    } else if (tokens.claimRefresh()) {
      // The token still works, so a failure does not matter yet.
      this.#refresh().catch(() => {});
    }
  }

  /** Joins the running refresh of this session, or starts one. */
  #refresh(): Promise<void> {
    const { ended } = this.#store;
    if (this.#refreshing?.ended === ended) return this.#refreshing.done;
    const done = this.#renew(ended).finally(() => {
      if (this.#refreshing?.done === done) this.#refreshing = undefined;
    });
    this.#refreshing = { ended, done };
    return done;
  }

  /** Replaces the tokens of the session, unless it ends meanwhile, which aborts the refresh. */
  async #renew(ended: AbortSignal): Promise<void> {
    const { tokens: old } = this.#store;
    this.#overlaps.begin();
    const headers: HeadersInit = old?.refresh ? { Authorization: bearer(old.refresh) } : {};
    try {
      const tokens = await retrying(async () => {
        const requestedAt = performance.now();
        const signal = AbortSignal.any([ended, AbortSignal.timeout(REFRESH_TIMEOUT)]);
        const sent = await this.#http.call("/refresh", { method: "POST", headers, signal });
        return new Tokens(await (await expectSuccess(sent)).json(), requestedAt);
      }, ended);
      ended.throwIfAborted();
      if (this.#cookies) {
        this.#overlaps.end();
        this.#tabs.publish("refreshed");
      }
      // The cookie can hold another session, if this tab missed a login in another.
      if (old && old.owner !== tokens.owner) this.#store.open(tokens);
      ended.throwIfAborted();
      this.#store.renew(tokens);
    } catch (error) {
      ended.throwIfAborted();
      // Only the service can end the session: a failed connection or an overload does not.
      if (error instanceof AuthApiError && error.status === 401) {
        const lost = this.getSession().status === "authenticated";
        this.#store.close({ status: "anonymous", reason: lost ? error.code : undefined });
      }
      throw error;
    }
  }

  /** Refreshes once more after an overlap. Only the end of the session matters, not a failure. */
  #repeat(): void {
    if (this.#store.tokens) this.#refresh().catch(() => {});
  }

  /** Opens the session of the response, or ends it on the service if another call was faster. */
  async #open(sent: Response, requestedAt: number, superseded: () => boolean): Promise<void> {
    const response = await expectSuccess(sent);
    this.#deviceToken = response.headers.get("Device-Token") ?? this.#deviceToken;
    const tokens = new Tokens(await response.json(), requestedAt);
    if (superseded()) {
      await this.#end(tokens);
      throw new DOMException("The session changed", "AbortError");
    }
    this.#store.open(tokens);
    this.#tabs.publish("login");
  }

  /** Ends the session on the service. If the access token is rejected, uses the refresh token. */
  async #end(tokens: Tokens | undefined, options: LogoutOptions = {}): Promise<void> {
    const path = options.everywhere ? "/logout?everywhere=true" : "/logout";
    const signal = options.signal ?? null;
    const headers: HeadersInit[] = [];
    if (tokens) headers.push({ Authorization: bearer(tokens.access) });
    if (this.#cookies) headers.push({});
    else if (tokens?.refresh) headers.push({ Authorization: bearer(tokens.refresh) });
    for (const credentials of headers) {
      const ended = await retrying(async () => {
        const init = { method: "POST", headers: credentials, signal };
        const response = await this.#http.call(path, init);
        return response.status !== 401 && (await expectSuccess(response));
      }, options.signal);
      // If the last credentials are rejected, too, the session had already ended.
      if (ended) return;
    }
  }

  /** Follows a login, a refresh or a logout in another tab. */
  #receive(message: TabMessage): void {
    const { tokens } = this.#store;
    if (message === "login" && this.#cookies) {
      this.#store.close({ status: "unknown" });
      this.restore().catch(() => {});
    } else if (message === "refreshed" && this.#cookies) {
      this.#overlaps.receive(this.#refreshing !== undefined);
    } else if (message === "logout" && this.getSession().status !== "anonymous") {
      this.#store.close({ status: "anonymous" });
      // In cookie mode, the other tab has ended the session of both.
      if (!this.#cookies) this.#end(tokens).catch(() => {});
    }
  }
}

function originOf(url: string): string {
  return new URL(url).origin;
}

/** Reads the body of a success, unless the session ends before it has arrived. */
async function successOf<T>(response: Response, ended: AbortSignal): Promise<T> {
  ended.throwIfAborted();
  const body = await (await expectSuccess(response)).json();
  ended.throwIfAborted();
  return body;
}

/** Whether a 401 rejects the access token. Other APIs may only send the header of RFC 6750. */
async function isRefreshable(response: Response): Promise<boolean> {
  const code = (await problemOf(response))?.code;
  if (code) return REFRESHABLE.includes(code);
  return response.headers.get("WWW-Authenticate")?.includes('error="invalid_token"') ?? false;
}

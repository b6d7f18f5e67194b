import { AuthApiError, expectSuccess, problemOf } from "./errors.js";
import { Http, bearer, json } from "./http.js";
import { SessionStore } from "./store.js";
import { Tabs, type TabMessage } from "./tabs.js";
import { Tokens } from "./tokens.js";
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
const REFRESH_TIMEOUT = 10_000; // ms

export class BrowserClient implements AuthClient {
  readonly #http: Http;
  readonly #cookies: boolean;
  readonly #trusted: Set<string | undefined>;
  readonly #store: SessionStore;
  readonly #tabs: Tabs;
  #refreshing: { generation: number; done: Promise<void> } | undefined;
  // Logins that were sent before a logout must not open a session after it.
  #logouts = 0;
  // Tokens of a session whose end the service has not confirmed.
  #unfinished: Tokens | undefined;
  #deviceToken: string | undefined;

  constructor(options: ClientOptions) {
    const page = globalThis.location as Location | undefined;
    const base = new URL(options.baseUrl, page?.href);
    this.#cookies = options.refresh === "cookie";
    this.#trusted = new Set([base.origin, page?.origin, ...(options.apiOrigins ?? []).map(originOf)]);
    const send = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#http = new Http(base.href.replace(/\/$/, ""), this.#cookies, send);
    this.#store = new SessionStore({ status: this.#cookies ? "unknown" : "anonymous" });
    this.#tabs = new Tabs(this.#http.base, (message) => this.#receive(message));
    this.getSession = this.#store.get;
    this.subscribe = this.#store.subscribe;
  }

  readonly getSession: AuthClient["getSession"];
  readonly subscribe: AuthClient["subscribe"];

  readonly register = async (account: RegisterRequest, options: CallOptions = {}): Promise<User> => {
    const response = await this.#http.call("/register", json("POST", account, options.signal));
    return (await expectSuccess(response)).json();
  };

  readonly login = async (credentials: LoginRequest, options: CallOptions = {}): Promise<void> => {
    const path = this.#cookies ? "/login?refresh_cookie=true&device_cookie=true" : "/login";
    const device = this.#deviceToken ? { "Device-Token": this.#deviceToken } : {};
    await this.#open(() => this.#http.call(path, json("POST", credentials, options.signal, device)));
  };

  readonly changePassword = async (
    passwords: ChangePasswordRequest,
    options: CallOptions = {},
  ): Promise<void> => {
    const path = this.#cookies ? "/me/password?refresh_cookie=true&device_cookie=true" : "/me/password";
    await this.#open(() => this.#request(path, json("PUT", passwords, options.signal)));
  };

  readonly reauthenticate = async (
    request: ReauthenticateRequest,
    options: CallOptions = {},
  ): Promise<void> => {
    const { generation } = this.#store;
    const requestedAt = performance.now();
    const sent = await this.#request("/me/reauthenticate", json("POST", request, options.signal));
    const issued = await (await expectSuccess(sent)).json();
    if (generation !== this.#store.generation) throw sessionChanged();
    this.#store.renew(new Tokens(issued, requestedAt, this.#store.tokens?.refresh));
  };

  readonly me = async (options: CallOptions = {}): Promise<Me> => {
    const response = await this.#request("/me", { signal: options.signal ?? null });
    return (await expectSuccess(response)).json();
  };

  readonly fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    const origin = originOf(request.url);
    if (!this.#trusted.has(origin)) throw new TypeError(`${origin} is not in apiOrigins`);
    return this.#authorized(request);
  };

  readonly restore = async (): Promise<boolean> => {
    if (this.#cookies && !this.#store.tokens) {
      await this.#refresh().catch((error) => {
        if (!(error instanceof AuthApiError && error.status === 401)) throw error;
      });
    }
    return this.#store.tokens !== undefined;
  };

  readonly logout = async (options: LogoutOptions = {}): Promise<void> => {
    const tokens = (this.#unfinished = this.#store.tokens ?? this.#unfinished);
    this.#logouts++;
    this.#store.close({ status: "anonymous" });
    this.#tabs.publish("logout");
    await this.#end(tokens, options);
    this.#unfinished = undefined;
  };

  readonly close = (): void => this.#tabs.close();

  #request(path: string, init: RequestInit): Promise<Response> {
    const { base, credentials } = this.#http;
    return this.#authorized(new Request(base + path, { credentials, ...init }));
  }

  /** Sends the request with a valid access token, and once more if the token is rejected. */
  async #authorized(request: Request): Promise<Response> {
    await this.#ready(request.signal);
    const { tokens, generation } = this.#store;
    const response = await this.#http.authorized(request.clone(), tokens?.access);
    if (!tokens || response.status !== 401 || !(await isRefreshable(response.clone()))) return response;
    if (this.#store.tokens === tokens) await abortable(this.#refresh(), request.signal);
    if (generation !== this.#store.generation) return response;
    await response.body?.cancel();
    return this.#http.authorized(request, this.#store.tokens?.access);
  }

  /** Waits until a request can be sent. */
  async #ready(signal: AbortSignal): Promise<void> {
    const { tokens, generation } = this.#store;
    if (!tokens) {
      if (this.getSession().status === "unknown") await abortable(this.restore(), signal);
    } else if (tokens.expired) {
      await abortable(this.#refresh(), signal);
      // The request belongs to the session that has ended, not to a new one.
      if (generation !== this.#store.generation) throw sessionChanged();
    } else if (tokens.takeRefresh()) {
      // The token still works, so a failure does not matter yet.
      this.#refresh().catch(() => {});
    }
  }

  /** Joins the running refresh of this session, or starts one. */
  #refresh(): Promise<void> {
    const { generation } = this.#store;
    if (this.#refreshing?.generation === generation) return this.#refreshing.done;
    const done = this.#renew(generation).finally(() => {
      if (this.#refreshing?.done === done) this.#refreshing = undefined;
    });
    this.#refreshing = { generation, done };
    return done;
  }

  async #renew(generation: number): Promise<void> {
    const token = this.#store.tokens?.refresh;
    const headers: HeadersInit = token ? { Authorization: bearer(token) } : {};
    try {
      const tokens = await retrying(async () => {
        if (generation !== this.#store.generation) throw sessionChanged();
        const requestedAt = performance.now();
        const signal = AbortSignal.timeout(REFRESH_TIMEOUT);
        const sent = await this.#http.call("/refresh", { method: "POST", headers, signal });
        return new Tokens(await (await expectSuccess(sent)).json(), requestedAt);
      });
      if (generation === this.#store.generation) this.#store.renew(tokens);
    } catch (error) {
      // Only the service can end the session: a failed connection or an overload does not.
      if (generation === this.#store.generation && error instanceof AuthApiError && error.status === 401) {
        const lost = this.getSession().status === "authenticated";
        this.#store.close({ status: "anonymous", reason: lost ? error.code : undefined });
      }
      throw error;
    }
  }

  /** Opens the session of the response. */
  async #open(send: () => Promise<Response>): Promise<void> {
    const logouts = this.#logouts;
    const requestedAt = performance.now();
    const response = await expectSuccess(await send());
    this.#deviceToken = response.headers.get("Device-Token") ?? this.#deviceToken;
    const tokens = new Tokens(await response.json(), requestedAt);
    if (logouts !== this.#logouts) {
      await this.#end(tokens);
      throw sessionChanged();
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
        const response = await this.#http.call(path, { method: "POST", headers: credentials, signal });
        return response.status !== 401 && (await expectSuccess(response));
      }, options.signal);
      // If the last credentials are rejected, too, the session had already ended.
      if (ended) return;
    }
  }

  /** Follows a login or a logout in another tab. */
  #receive(message: TabMessage): void {
    const { tokens } = this.#store;
    if (message === "login" && this.#cookies) {
      this.#store.close({ status: "unknown" });
      this.restore().catch(() => {});
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

function sessionChanged(): DOMException {
  return new DOMException("The session changed", "AbortError");
}

/** Whether a 401 rejects the access token. Other APIs may only send the header of RFC 6750. */
async function isRefreshable(response: Response): Promise<boolean> {
  const code = (await problemOf(response))?.code;
  if (code) return REFRESHABLE.includes(code);
  return response.headers.get("WWW-Authenticate")?.includes('error="invalid_token"') ?? false;
}

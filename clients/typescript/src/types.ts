import type { components } from "./openapi.js";

type Schemas = components["schemas"];

/** An error response (RFC 9457). */
export type Problem = Schemas["Problem"];
/** The stable codes of error responses. */
export type ErrorCode = Problem["code"];
/** The caller, as returned by `GET /me`. */
export type Me = Schemas["Me"];
/** A registered user. */
export type User = Schemas["User"];
/** Login and password of an existing user. */
export type LoginRequest = Schemas["LoginRequest"];
/** Login and password of a new user. */
export type RegisterRequest = Schemas["RegisterRequest"];
/** The current and the new password. */
export type ChangePasswordRequest = Schemas["ChangePasswordRequest"];
/** The password of the logged-in user. */
export type ReauthenticateRequest = Schemas["ReauthenticateRequest"];

/** Where the refresh token is kept. */
export type RefreshMode =
  /** In the memory of this tab: a reload and a new tab need a new login. */
  | "memory"
  /** In a cookie that scripts cannot read: all tabs share one session, which survives a reload. */
  | "cookie";

export interface ClientOptions {
  /**
   * URL of the service, with its path prefix if it has one, such as `https://example.com/auth`.
   * In a page, a path such as `/auth` suffices.
   */
  baseUrl: string;
  /** Where the refresh token is kept. */
  refresh: RefreshMode;
  /**
   * Origins of other APIs to which `fetch` sends the access token, such as
   * `https://api.example.com`. The origins of the page and of `baseUrl` always receive it.
   */
  apiOrigins?: readonly string[];
  /** Sends the requests; by default the global `fetch`. */
  fetch?: typeof globalThis.fetch;
}

/** Whether a user is logged in. The object is replaced, never changed. */
export type Session =
  /** Cookie mode, before `restore` was called or while it has no response. */
  | { readonly status: "unknown" }
  /** `reason` is the code with which the service ended the session, if it did. */
  | { readonly status: "anonymous"; readonly reason?: ErrorCode | "unknown" | undefined }
  | { readonly status: "authenticated" };

export interface CallOptions {
  /** Rejects the call when it is aborted. A refresh that other calls wait for continues. */
  signal?: AbortSignal;
}

export interface LogoutOptions extends CallOptions {
  /** End all sessions of the user, on all devices. */
  everywhere?: boolean;
}

/** A session with the service. All functions can be passed on without their object. */
export interface AuthClient {
  /** Creates an account. It does not log in. */
  register(account: RegisterRequest, options?: CallOptions): Promise<User>;
  /** Opens a session. In cookie mode, the other tabs change to it. */
  login(credentials: LoginRequest, options?: CallOptions): Promise<void>;
  /**
   * Ends the session in all tabs, and then on the service. If the service does not respond, the
   * returned promise is rejected, and another call repeats the request.
   */
  logout(options?: LogoutOptions): Promise<void>;
  /**
   * In cookie mode, continues the session of another tab or of the time before a reload. Returns
   * whether a user is logged in. Rejects if the service does not respond: try again later.
   */
  restore(): Promise<boolean>;
  /**
   * Returns the user, with the current roles and permissions. Rejects with an `AbortError` if the
   * session changes before the response arrives.
   */
  me(options?: CallOptions): Promise<Me>;
  /** Changes the password. All other sessions of the user end, and this one gets new tokens. */
  changePassword(passwords: ChangePasswordRequest, options?: CallOptions): Promise<void>;
  /** Verifies the password, after a call was rejected with `insufficient_user_authentication`. */
  reauthenticate(request: ReauthenticateRequest, options?: CallOptions): Promise<void>;
  /**
   * Works like the global `fetch`, and adds the access token. It refreshes an expired token once
   * for all concurrent calls, and repeats a request once whose token was rejected. Rejects with an
   * `AuthApiError` if the refresh fails, with an `AbortError` if the session changes before the
   * response arrives, and with a `TypeError` for an origin that is not in `apiOrigins`. If a
   * request with an effect is rejected with an `AbortError`, the effect may have happened.
   */
  fetch: typeof globalThis.fetch;
  /** Returns the current session, the same object until it changes. */
  getSession(): Session;
  /**
   * Calls the listener after each change of the session. Returns a function that removes the
   * listener.
   */
  subscribe(listener: () => void): () => void;
  /**
   * Stops sending changes to other tabs and following theirs, for tests and reloaded modules. The
   * session continues.
   */
  close(): void;
}

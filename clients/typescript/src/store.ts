import type { Tokens } from "./tokens.js";
import type { Session } from "./types.js";

/** The current session, its tokens, and the listeners for its changes. */
export class SessionStore {
  #session: Session;
  #tokens: Tokens | undefined;
  #ending = new AbortController();
  readonly #listeners = new Set<() => void>();

  constructor(session: Session) {
    this.#session = session;
  }

  readonly get = (): Session => this.#session;

  readonly subscribe = (listener: () => void): (() => void) => {
    // A function of its own, so that a listener that is added twice is also called twice.
    const entry = () => listener();
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  };

  get tokens(): Tokens | undefined {
    return this.#tokens;
  }

  /** Aborts with an `AbortError` when another session opens or this one closes. */
  get ended(): AbortSignal {
    return this.#ending.signal;
  }

  /** Opens another session. */
  open(tokens: Tokens): void {
    this.#replace({ status: "authenticated" }, tokens);
  }

  /** Replaces the tokens of the session. */
  renew(tokens: Tokens): void {
    this.#tokens = tokens;
    if (this.#session.status !== "authenticated") this.#publish({ status: "authenticated" });
  }

  /** Closes the session. */
  close(session: Session): void {
    this.#replace(session, undefined);
  }

  #replace(session: Session, tokens: Tokens | undefined): void {
    const ending = this.#ending;
    this.#ending = new AbortController();
    this.#tokens = tokens;
    ending.abort(new DOMException("The session changed", "AbortError"));
    this.#publish(session);
  }

  #publish(session: Session): void {
    this.#session = session;
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        // A listener that fails must neither fail the call nor keep it from the other tabs.
        reportFailure(error);
      }
    }
  }
}

/** Reports an error as one that no code caught. Not all servers have `reportError`. */
function reportFailure(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else console.error(error);
}

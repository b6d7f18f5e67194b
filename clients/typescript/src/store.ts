import type { Tokens } from "./tokens.js";
import type { Session } from "./types.js";

/** The current session, its tokens, and the listeners for its changes. */
export class SessionStore {
  #session: Session;
  #tokens: Tokens | undefined;
  #generation = 0;
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

  /** Increases when a session opens or closes: responses to earlier requests are then stale. */
  get generation(): number {
    return this.#generation;
  }

  /** Opens another session. */
  open(tokens: Tokens): void {
    this.#generation++;
    this.#tokens = tokens;
    this.#publish({ status: "authenticated" });
  }

  /** Replaces the tokens of the session. */
  renew(tokens: Tokens): void {
    this.#tokens = tokens;
    if (this.#session.status !== "authenticated") this.#publish({ status: "authenticated" });
  }

  /** Closes the session. */
  close(session: Session): void {
    this.#generation++;
    this.#tokens = undefined;
    this.#publish(session);
  }

  #publish(session: Session): void {
    this.#session = session;
    for (const listener of [...this.#listeners]) listener();
  }
}

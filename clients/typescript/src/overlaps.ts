const LATENCY = 100; // ms until the message of another tab arrives
// Well within the 10 seconds in which the service accepts a token that was replaced.
const WAIT = 500; // ms
const JITTER = 1000; // ms
const REPEATS = 3;

/**
 * Repeats a refresh of cookie mode that overlapped with one of another tab.
 *
 * The last response sets the cookie, and can carry an older token than an earlier one did. The
 * repetition presents that token while the service still accepts it and returns the current one.
 * The tab of the last response repeats: a tab that sees a later one leaves it to that tab.
 * Repetitions end: the first of them to finish saw no other, and a tab repeats three times at most.
 */
export class Overlaps {
  readonly #refresh: () => void;
  #overlapped = false;
  #repeats = 0;
  #endedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(refresh: () => void) {
    this.#refresh = refresh;
  }

  /** This tab begins a refresh. */
  begin(): void {
    this.#overlapped = false;
  }

  /** The response to the refresh of this tab has set the cookie. */
  end(): void {
    const repeats = this.#repeats;
    this.cancel();
    this.#endedAt = performance.now();
    if (!this.#overlapped || repeats === REPEATS) return;
    this.#repeats = repeats + 1;
    this.#timer = setTimeout(this.#refresh, WAIT + Math.random() * JITTER);
  }

  /** Another tab has refreshed, during a refresh of this tab or not. */
  receive(refreshing: boolean): void {
    if (refreshing) this.#overlapped = true;
    // Tabs that end at the same time do not rely on each other.
    else if (performance.now() > this.#endedAt + LATENCY) this.cancel();
  }

  /** Stops waiting for the repetition. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#repeats = 0;
  }
}

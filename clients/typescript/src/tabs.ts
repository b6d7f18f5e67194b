/** What one tab reports to the others of its origin. Messages never contain tokens. */
export type TabMessage = "login" | "refreshed" | "logout";

/** The channel between the tabs that use the same service. */
export class Tabs {
  #channel: BroadcastChannel | undefined;

  constructor(baseUrl: string, onMessage: (message: TabMessage) => void) {
    if (typeof BroadcastChannel === "undefined") return;
    this.#channel = new BroadcastChannel(`authapi ${baseUrl}`);
    this.#channel.onmessage = (event) => onMessage(event.data);
    // In Node.js, an open channel would keep the process running.
    (this.#channel as { unref?: () => void }).unref?.();
  }

  publish(message: TabMessage): void {
    this.#channel?.postMessage(message);
  }

  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }
}

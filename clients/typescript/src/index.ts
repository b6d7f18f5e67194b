import { BrowserClient } from "./client.js";
import type { AuthClient, ClientOptions } from "./types.js";

/** Creates the client of a service. Create one per page, and use it everywhere. */
export function createClient(options: ClientOptions): AuthClient {
  return new BrowserClient(options);
}

export { AuthApiError } from "./errors.js";
export type * from "./types.js";
export type { components, operations, paths } from "./openapi.js";

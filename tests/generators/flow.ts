// The flow with openapi-fetch, and the types that openapi-typescript generates from the document.
// Arguments: URL of the service; login of a new user; login of an administrator; their password.

import createClient from "openapi-fetch";
import type { paths } from "./generated/schema.js";

const [baseUrl = "", login = "", administrator = "", password = ""] = process.argv.slice(2);
const anonymous = createClient<paths>({ baseUrl });

/** A client that sends the access token. */
function as(token: string) {
  return createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
}

/** Returns the body of a successful response, and throws the problem of any other. */
function body<T>({ data, error }: { data?: T; error?: { code: string } }): T {
  if (error) throw new Error(error.code);
  if (data === undefined) throw new Error("the response has no body");
  return data;
}

function equal(actual: unknown, expected: unknown) {
  if (actual !== expected) throw new Error(`${String(actual)} instead of ${String(expected)}`);
}

equal(body(await anonymous.POST("/register", { body: { login, password } })).login, login);
const pair = body(await anonymous.POST("/login", { body: { login, password } }));
equal(body(await as(pair.access_token).GET("/me")).login, login);

const next = body(await anonymous.POST("/refresh", { body: { refresh_token: pair.refresh_token ?? "" } }));
equal(body(await as(next.access_token).GET("/me")).login, login);

const admin = as(body(await anonymous.POST("/login", { body: { login: administrator, password } })).access_token);
const roles = { login, new_roles: ["user", "admin"] };
const changed = body(await admin.PUT("/roles/update", { body: roles }));
equal(JSON.stringify(changed).includes('"admin"'), true);

equal((await admin.POST("/logout")).response.status, 204);
const rejected = await admin.GET("/me");
equal(rejected.response.status, 401);
equal(rejected.error?.code, "token_revoked");

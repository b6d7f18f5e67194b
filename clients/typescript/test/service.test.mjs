// Tests the client from Node.js against the real service, whose binary AUTHAPI_BINARY names.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startService } from "../../../tests/browser/service.mjs";
import { AuthApiError, createClient } from "../dist/index.js";
import { CHEAP, account } from "./accounts.mjs";

let service;

before(async () => (service = await startService({ ...CHEAP, AUTHAPI_TOKENS__ACCESS_TTL: "3s" })));
after(() => service?.stop());

/** Creates a client whose requests are recorded. */
function client(t) {
  const sent = [];
  const auth = createClient({
    baseUrl: service.base,
    refresh: "memory",
    fetch: (input, init) => {
      const request = new Request(input, init);
      const { pathname } = new URL(request.url);
      sent.push({ path: pathname, token: request.headers.get("Authorization") });
      return fetch(request);
    },
  });
  t.after(auth.close);
  return { auth, of: (path) => sent.filter((request) => request.path === path) };
}

test("a new user registers, logs in, reads the account and logs out", async (t) => {
  const { auth } = client(t);
  const alice = account();
  assert.equal((await auth.register(alice)).login, alice.login);
  await auth.login(alice);
  const me = await auth.me();
  assert.equal(me.login, alice.login);
  assert.deepEqual(me.roles, ["user"]);
  await auth.logout();
  assert.equal(auth.getSession().status, "anonymous");
  await assert.rejects(auth.me(), (error) => error instanceof AuthApiError && error.code === "token_missing");
});

test("fifty concurrent calls with an expired token refresh once", async (t) => {
  // The client's clock stands still, so only the service finds that the token has expired.
  t.mock.method(performance, "now", () => 0);
  const { auth, of } = client(t);
  const alice = account();
  await auth.register(alice);
  await auth.login(alice);
  await auth.me();
  const [{ token }] = of("/me");
  const rejected = async () => (await fetch(`${service.base}/me`, { headers: { Authorization: token } })).status === 401;
  while (!(await rejected()));
  const answers = await Promise.all(Array.from({ length: 50 }, () => auth.me()));
  assert.ok(answers.every((me) => me.login === alice.login));
  assert.equal(of("/refresh").length, 1);
});

test("a change of the own roles makes the token outdated, and the call is repeated with another", async (t) => {
  const { auth, of } = client(t);
  const alice = account();
  await auth.register(alice);
  await auth.login(alice);
  const response = await auth.fetch(`${service.base}/roles/update`, {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ new_roles: [], keep_sessions: true }),
  });
  assert.equal(response.status, 200);
  assert.deepEqual((await auth.me()).roles, []);
  assert.ok(of("/refresh").length >= 1);
  assert.equal(auth.getSession().status, "authenticated");
});

test("a new password replaces the session, and the old password is rejected", async (t) => {
  const { auth } = client(t);
  const alice = account();
  await auth.register(alice);
  await auth.login(alice);
  await auth.changePassword({ current_password: alice.password, new_password: "nine quiet walruses 43" });
  assert.equal((await auth.me()).login, alice.login);
  await assert.rejects(auth.login(alice), { code: "invalid_credentials", status: 401 });
  assert.equal(auth.getSession().status, "authenticated");
});

test("a logout on all devices ends another client's session, and that session has the reason", async (t) => {
  const [first, second] = [client(t).auth, client(t).auth];
  const alice = account();
  await first.register(alice);
  await first.login(alice);
  await second.login(alice);
  // Closed, so that the second client does not hear of the logout from the first.
  second.close();
  await first.logout({ everywhere: true });
  await assert.rejects(second.me(), { code: "session_revoked", status: 401 });
  assert.deepEqual(second.getSession(), { status: "anonymous", reason: "session_revoked" });
});

test("a rejected registration names the field", async (t) => {
  const { auth } = client(t);
  const error = await auth.register({ login: "al", password: "password" }).catch((error) => error);
  assert.equal(error.code, "validation_failed");
  assert.deepEqual(error.problem.errors.map(({ field, code }) => [field, code]), [["login", "too_short"]]);
});

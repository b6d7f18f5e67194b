// Tests the session of one tab in memory mode against a stand-in for the service.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { AuthApiError, createClient } from "../dist/index.js";
import { BASE, fakeService, ok, pending, problem } from "./fake.mjs";

const ALICE = { login: "alice", password: "seven sober walruses 42" };
const ITEMS = "https://auth.example.com/items";

/** Starts a client that is logged in, with a monotonic clock that the test moves. */
async function loggedIn(t, options = {}) {
  const clock = { now: 1000 };
  t.mock.method(performance, "now", () => clock.now);
  const service = fakeService(options);
  const client = createClient({ baseUrl: BASE, refresh: "memory", fetch: service.send });
  t.after(client.close);
  await client.login(ALICE);
  return { client, service, clock };
}

/** Lets callbacks of promises run. */
async function turns(count) {
  for (let done = 0; done < count; done += 1) await turn();
}

/** Lets timers of the test's clock run until the promise settles. */
async function untilSettled(t, promise) {
  let settled = false;
  promise.catch(() => {}).finally(() => (settled = true));
  for (let ticks = 0; !settled && ticks < 2000; ticks += 1) {
    await turn();
    t.mock.timers.tick(100);
  }
  return promise;
}

test("a login opens the session, and calls carry its access token", async (t) => {
  const { client, service } = await loggedIn(t);
  assert.deepEqual(JSON.parse(service.of("POST /login")[0].body), ALICE);
  assert.equal(client.getSession().status, "authenticated");
  assert.deepEqual(await client.me(), { login: "alice" });
  assert.equal(service.of("GET /me")[0].bearer, "access-1");
});

test("registering creates the account without a session", async (t) => {
  const service = fakeService();
  service.on("POST /register", () => new Response(JSON.stringify({ login: "alice" }), { status: 201 }));
  const client = createClient({ baseUrl: BASE, refresh: "memory", fetch: service.send });
  t.after(client.close);
  assert.equal((await client.register(ALICE)).login, "alice");
  assert.equal(client.getSession().status, "anonymous");
});

test("fifty concurrent calls with an expired token refresh once", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  clock.now += 900_000;
  const responses = await Promise.all(Array.from({ length: 50 }, () => client.fetch(ITEMS)));
  assert.ok(responses.every((response) => response.ok));
  assert.equal(service.of("POST /refresh").length, 1);
  assert.equal(service.of("POST /refresh")[0].bearer, "refresh-1");
  assert.ok(service.of("GET /items").every((request) => request.bearer === "access-2"));
});

for (const code of ["token_expired", "token_outdated"]) {
  test(`fifty concurrent calls that are rejected with ${code} refresh once and are repeated once`, async (t) => {
    const { client, service } = await loggedIn(t);
    service.on("GET /items", ({ bearer }) => (bearer === "access-1" ? problem(401, code) : ok({})));
    const responses = await Promise.all(Array.from({ length: 50 }, () => client.fetch(ITEMS)));
    assert.ok(responses.every((response) => response.ok));
    assert.equal(service.of("POST /refresh").length, 1);
    assert.equal(service.of("GET /items").length, 100);
  });
}

test("a rejection that arrives after the refresh of another call repeats the request without a refresh", async (t) => {
  const { client, service } = await loggedIn(t);
  const slow = pending();
  service.on("GET /slow", ({ bearer }) => (bearer === "access-1" ? slow.promise : ok({})));
  service.on("GET /items", ({ bearer }) => (bearer === "access-1" ? problem(401, "token_expired") : ok({})));
  const late = client.fetch("https://auth.example.com/slow");
  await client.fetch(ITEMS);
  slow.resolve(problem(401, "token_expired"));
  assert.equal((await late).status, 200);
  assert.equal(service.of("POST /refresh").length, 1);
});

test("a call is repeated once only, and with its body", async (t) => {
  const { client, service } = await loggedIn(t);
  service.on("POST /items", () => problem(401, "token_expired"));
  const response = await client.fetch(ITEMS, { method: "POST", body: "the body" });
  assert.equal(response.status, 401);
  assert.equal((await response.json()).code, "token_expired");
  assert.deepEqual(service.of("POST /items").map((request) => request.body), ["the body", "the body"]);
  assert.equal(client.getSession().status, "authenticated");
});

for (const [status, code] of [[403, "forbidden"], [401, "invalid_credentials"], [401, "insufficient_user_authentication"]]) {
  test(`${code} does not cause a refresh, and its body can be read`, async (t) => {
    const { client, service } = await loggedIn(t);
    service.on("GET /items", () => problem(status, code, { "WWW-Authenticate": 'Bearer error="invalid_token"' }));
    const response = await client.fetch(ITEMS);
    assert.equal((await response.json()).code, code);
    assert.equal(service.of("POST /refresh").length, 0);
  });
}

test("another API can reject the token with the header of RFC 6750 alone", async (t) => {
  const { client, service } = await loggedIn(t);
  const rejection = { status: 401, headers: { "WWW-Authenticate": 'Bearer error="invalid_token"' } };
  service.on("GET /items", ({ bearer }) => (bearer === "access-1" ? new Response("no", rejection) : ok({})));
  assert.equal((await client.fetch(ITEMS)).status, 200);
});

test("a response without a body is passed on", async (t) => {
  const { client, service } = await loggedIn(t);
  service.on("DELETE /items", () => new Response(null, { status: 204 }));
  assert.equal((await client.fetch(ITEMS, { method: "DELETE" })).status, 204);
});

test("a token about to expire is still used while it is refreshed, even if the service is overloaded", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  service.on("POST /refresh", () => problem(503, "overloaded", { "Retry-After": "60" }));
  clock.now += 850_000;
  assert.equal((await client.fetch(ITEMS)).status, 200);
  await turns(20);
  service.on("POST /refresh", () => ok(service.pair()));
  clock.now += 14_000;
  await client.fetch(ITEMS);
  await turns(20);
  assert.equal(service.of("POST /refresh").length, 1, "the refresh was repeated too early");
  clock.now += 1_000;
  await client.fetch(ITEMS);
  await turns(20);
  await client.fetch(ITEMS);
  assert.deepEqual(service.of("GET /items").map((request) => request.bearer), ["access-1", "access-1", "access-1", "access-2"]);
});

test("the wall clock and the times in the token do not matter", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  for (const wrong of ["1999-01-01", "2099-01-01"]) {
    t.mock.timers.enable({ apis: ["Date"], now: new Date(wrong) });
    await client.fetch(ITEMS);
    t.mock.timers.reset();
  }
  assert.equal(service.of("POST /refresh").length, 0);
  clock.now += 899_999;
  t.mock.timers.enable({ apis: ["Date"], now: new Date("1999-01-01") });
  clock.now += 1;
  await client.fetch(ITEMS);
  assert.equal(service.of("POST /refresh").length, 1);
});

test("a refresh waits as long as Retry-After says, and keeps the session", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  service.on("POST /refresh", () =>
    service.of("POST /refresh").length < 3 ? problem(503, "overloaded", { "Retry-After": "2" }) : ok(service.pair()),
  );
  clock.now += 900_000;
  const call = client.fetch(ITEMS);
  await turns(20);
  t.mock.timers.tick(1999);
  await turns(20);
  assert.equal(service.of("POST /refresh").length, 1, "the second attempt came too early");
  assert.equal((await untilSettled(t, call)).status, 200);
  assert.deepEqual(service.of("POST /refresh").map((request) => request.bearer), ["refresh-1", "refresh-1", "refresh-1"]);
  assert.equal(client.getSession().status, "authenticated");
});

test("a refresh gives up after three attempts, and the next call tries again", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  service.on("POST /refresh", () => problem(503, "unavailable", { "Retry-After": "1" }));
  clock.now += 900_000;
  await assert.rejects(untilSettled(t, client.fetch(ITEMS)), { name: "AuthApiError", code: "unavailable", status: 503, retryAfter: 1 });
  assert.equal(service.of("POST /refresh").length, 3);
  assert.equal(client.getSession().status, "authenticated");
  service.on("POST /refresh", () => ok(service.pair()));
  assert.equal((await client.fetch(ITEMS)).status, 200);
});

test("a long Retry-After is not waited for", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  service.on("POST /refresh", () => problem(503, "overloaded", { "Retry-After": "60" }));
  clock.now += 900_000;
  await assert.rejects(client.fetch(ITEMS), { status: 503, retryAfter: 60 });
  assert.equal(service.of("POST /refresh").length, 1);
});

test("a failure of the network is retried, and keeps the session", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  service.on("POST /refresh", () => Promise.reject(new TypeError("fetch failed")));
  clock.now += 900_000;
  await assert.rejects(untilSettled(t, client.fetch(ITEMS)), TypeError);
  assert.equal(service.of("POST /refresh").length, 3);
  assert.equal(client.getSession().status, "authenticated");
  service.on("POST /refresh", () => ok(service.pair()));
  assert.equal((await client.fetch(ITEMS)).status, 200);
});

test("a refresh without a response is repeated twice within the grace window", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  t.mock.method(Math, "random", () => 0.999);
  service.on("POST /refresh", () => pending().promise);
  const waits = [];
  t.mock.method(globalThis, "setTimeout", ((timer) => (run, wait) => (waits.push(wait), timer(run, wait)))(setTimeout));
  t.mock.method(AbortSignal, "timeout", (wait) => {
    waits.push(wait);
    return AbortSignal.abort(new DOMException("timed out", "TimeoutError"));
  });
  clock.now += 900_000;
  await assert.rejects(untilSettled(t, client.fetch(ITEMS)), { name: "TimeoutError" });
  assert.equal(service.of("POST /refresh").length, 3);
  assert.equal(client.getSession().status, "authenticated");
  // The last attempt starts after all waits but its own.
  const untilLast = waits.slice(0, -1).reduce((sum, wait) => sum + wait, 0);
  assert.ok(untilLast > 8_000 && untilLast < 9_500, `${waits}`);
});

test("a login and a logout abort the refresh that is running", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  const signals = [];
  service.on("POST /refresh", ({ signal }) => {
    signals.push(signal);
    return pending().promise;
  });
  for (const change of [() => client.login(ALICE), () => client.logout()]) {
    clock.now += 900_000;
    const call = client.fetch(ITEMS);
    await turns(20);
    await change();
    await assert.rejects(call, { name: "AbortError" });
  }
  assert.deepEqual(signals.map(({ aborted }) => aborted), [true, true]);
  assert.equal(service.of("GET /items").length, 0);
});

test("a refresh that the service rejects ends the session with the reason", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  const seen = [];
  client.subscribe(() => seen.push(client.getSession()));
  service.on("POST /refresh", () => problem(401, "session_revoked"));
  clock.now += 900_000;
  await assert.rejects(client.fetch(ITEMS), { name: "AuthApiError", code: "session_revoked", status: 401 });
  assert.deepEqual(seen, [{ status: "anonymous", reason: "session_revoked" }]);
  await client.fetch(ITEMS);
  assert.equal(service.of("GET /items")[0].bearer, undefined);
});

test("a refresh that ends after a logout does not restore the session", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  const slow = pending();
  service.on("POST /refresh", () => slow.promise);
  clock.now += 900_000;
  const call = client.fetch(ITEMS);
  await turn();
  await client.logout();
  slow.resolve(ok(service.pair()));
  await assert.rejects(call, { name: "AbortError" });
  assert.equal(client.getSession().status, "anonymous");
  assert.equal(service.of("GET /items").length, 0);
});

test("a login that ends after a logout is ended on the service", async (t) => {
  const { client, service } = await loggedIn(t);
  const slow = pending();
  service.on("POST /login", () => slow.promise);
  const login = client.login(ALICE);
  await client.logout();
  slow.resolve(ok(service.pair()));
  await assert.rejects(login, { name: "AbortError" });
  assert.equal(client.getSession().status, "anonymous");
  assert.deepEqual(service.of("POST /logout").map((request) => request.bearer), ["access-1", "access-2"]);
});

test("a call that waits for a refresh is not sent as the user who logs in meanwhile", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  const slow = pending();
  service.on("POST /refresh", () => slow.promise);
  clock.now += 900_000;
  const call = client.fetch(ITEMS);
  await turn();
  await client.login({ login: "bob", password: "nine quiet otters 42" });
  slow.resolve(ok({ access_token: "alice's", token_type: "Bearer", expires_in: 900, refresh_token: "alice's" }));
  await assert.rejects(call, { name: "AbortError" });
  await client.fetch(ITEMS);
  assert.deepEqual(service.of("GET /items").map((request) => request.bearer), ["access-2"]);
});

test("a refresh that waits for its next attempt is not sent after a logout", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  service.on("POST /refresh", () => problem(503, "overloaded", { "Retry-After": "2" }));
  clock.now += 900_000;
  const call = client.fetch(ITEMS);
  await turns(20);
  await client.logout();
  await assert.rejects(untilSettled(t, call), { name: "AbortError" });
  assert.equal(service.of("POST /refresh").length, 1);
});

test("a late response of an earlier session does not reach the next user", async (t) => {
  const { client, service } = await loggedIn(t);
  const body = pending();
  const headers = pending();
  service.on("GET /me", () => ({ ok: true, status: 200, json: () => body.promise }));
  service.on("GET /items", () => headers.promise);
  service.on("POST /me/reauthenticate", () => headers.promise);
  const [me, items] = [client.me(), client.fetch(ITEMS)];
  const checked = client.reauthenticate({ password: "p" });
  await turns(20);
  await client.login({ login: "bob", password: "nine quiet otters 42" });
  body.resolve({ login: "alice" });
  headers.resolve(ok({ access_token: "alice's", token_type: "Bearer", expires_in: 900 }));
  for (const call of [me, items, checked]) await assert.rejects(call, { name: "AbortError" });
  service.on("GET /me", () => ok({ login: "bob" }));
  assert.equal((await client.me()).login, "bob");
  assert.equal(service.of("GET /me").at(-1).bearer, "access-2");
});

test("a new password that arrives after the login of another user does not replace their session", async (t) => {
  const { client, service } = await loggedIn(t);
  const slow = pending();
  service.on("PUT /me/password", () => slow.promise);
  const change = client.changePassword({ current_password: "a", new_password: "b" });
  await turn();
  await client.login({ login: "bob", password: "nine quiet otters 42" });
  slow.resolve(ok({ access_token: "alice's", token_type: "Bearer", expires_in: 900 }));
  await assert.rejects(change, { name: "AbortError" });
  assert.deepEqual(service.of("POST /logout").map((request) => request.bearer), ["alice's"]);
  await client.me();
  assert.equal(service.of("GET /me")[0].bearer, "access-2");
});

test("a login does not make a response stale that belongs to no user", async (t) => {
  const { client, service } = await loggedIn(t);
  await client.logout();
  const slow = pending();
  service.on("GET /items", () => slow.promise);
  const call = client.fetch(ITEMS);
  await turn();
  await client.login(ALICE);
  slow.resolve(ok({}));
  assert.equal((await call).status, 200);
});

test("a rejection of an earlier session does not send the request as the next user", async (t) => {
  const { client, service } = await loggedIn(t);
  const slow = pending();
  service.on("POST /items", () => slow.promise);
  const call = client.fetch(ITEMS, { method: "POST" });
  await turn();
  await client.login({ login: "bob", password: "nine quiet otters 42" });
  slow.resolve(problem(401, "token_revoked"));
  await assert.rejects(call, { name: "AbortError" });
  assert.deepEqual(service.of("POST /items").map((request) => request.bearer), ["access-1"]);
});

test("a session neither waits for the refresh of an earlier one nor ends with it", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  const slow = pending();
  service.on("POST /refresh", ({ bearer }) => (bearer === "refresh-1" ? slow.promise : ok(service.pair())));
  clock.now += 900_000;
  const call = client.fetch(ITEMS);
  await turn();
  await client.login({ login: "bob", password: "nine quiet otters 42" });
  clock.now += 900_000;
  assert.equal((await client.fetch(ITEMS)).status, 200);
  slow.resolve(problem(401, "session_revoked"));
  await assert.rejects(call, { name: "AbortError" });
  assert.equal(client.getSession().status, "authenticated");
});

test("aborting one call does not abort the refresh that another waits for", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  const slow = pending();
  service.on("POST /refresh", () => slow.promise);
  clock.now += 900_000;
  const abort = new AbortController();
  const aborted = client.fetch(ITEMS, { signal: abort.signal });
  const other = client.fetch(ITEMS);
  await turn();
  abort.abort(new Error("left the page"));
  await assert.rejects(aborted, /left the page/);
  slow.resolve(ok(service.pair()));
  assert.equal((await other).status, 200);
});

test("the signal aborts a call that was sent", async (t) => {
  const { client, service } = await loggedIn(t);
  service.on("GET /me", () => pending().promise);
  const abort = new AbortController();
  const call = client.me({ signal: abort.signal });
  await turn();
  abort.abort();
  await assert.rejects(call, { name: "AbortError" });
});

test("the access token is not sent to an origin that is not listed", async (t) => {
  const { client, service } = await loggedIn(t);
  await assert.rejects(client.fetch("https://elsewhere.example/"), /https:\/\/elsewhere.example is not in apiOrigins/);
  assert.equal(service.of("GET /").length, 0);
  const other = createClient({ baseUrl: BASE, refresh: "memory", fetch: service.send, apiOrigins: ["https://elsewhere.example"] });
  t.after(other.close);
  await other.login(ALICE);
  await other.fetch("https://elsewhere.example/");
  assert.equal(service.of("GET /")[0].bearer, "access-2");
});

test("errors carry the code, the status, the problem and the wait", async (t) => {
  const { client, service } = await loggedIn(t);
  service.on("POST /login", () => problem(429, "too_many_attempts", { "Retry-After": "17" }));
  const error = await client.login(ALICE).catch((error) => error);
  assert.ok(error instanceof AuthApiError && error instanceof Error);
  assert.deepEqual([error.code, error.status, error.retryAfter], ["too_many_attempts", 429, 17]);
  assert.equal(error.problem.title, "Title");
  service.on("POST /login", () => new Response("<h1>Bad gateway</h1>", { status: 502 }));
  await assert.rejects(client.login(ALICE), { code: "unknown", status: 502, problem: undefined, retryAfter: undefined });
});

test("a logout ends the session at once, and on the service by the access token", async (t) => {
  const { client, service } = await loggedIn(t);
  const logout = client.logout({ everywhere: true });
  assert.equal(client.getSession().status, "anonymous");
  await logout;
  const [request] = service.of("POST /logout");
  assert.deepEqual([request.bearer, request.query, request.body], ["access-1", "?everywhere=true", ""]);
});

test("a logout with an expired access token uses the refresh token", async (t) => {
  const { client, service } = await loggedIn(t);
  service.on("POST /logout", ({ bearer }) =>
    bearer === "access-1" ? problem(401, "token_expired") : new Response(null, { status: 204 }),
  );
  await client.logout();
  assert.deepEqual(service.of("POST /logout").map((request) => request.bearer), ["access-1", "refresh-1"]);
});

test("a logout of a session that has already ended succeeds", async (t) => {
  const { client, service } = await loggedIn(t);
  service.on("POST /logout", () => problem(401, "session_revoked"));
  await client.logout();
  assert.equal(client.getSession().status, "anonymous");
});

test("a logout without a response can be repeated", async (t) => {
  const { client, service } = await loggedIn(t);
  service.on("POST /logout", () => problem(503, "unavailable", { "Retry-After": "60" }));
  await assert.rejects(client.logout(), { status: 503 });
  assert.equal(client.getSession().status, "anonymous");
  service.on("POST /logout", () => new Response(null, { status: 204 }));
  await client.logout();
  await client.logout();
  assert.deepEqual(service.of("POST /logout").map((request) => request.bearer), ["access-1", "access-1"]);
});

test("a change of the password continues with the new session", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  await client.changePassword({ current_password: "a", new_password: "b" });
  assert.equal(service.of("PUT /me/password")[0].bearer, "access-1");
  clock.now += 900_000;
  await client.me();
  assert.equal(service.of("POST /refresh")[0].bearer, "refresh-2");
});

test("a check of the password replaces the access token and keeps the refresh token", async (t) => {
  const { client, service, clock } = await loggedIn(t);
  service.on("POST /me/reauthenticate", () => ok({ access_token: "checked", token_type: "Bearer", expires_in: 900 }));
  await client.reauthenticate({ password: "p" });
  await client.me();
  assert.equal(service.of("GET /me")[0].bearer, "checked");
  clock.now += 900_000;
  await client.me();
  assert.equal(service.of("POST /refresh")[0].bearer, "refresh-1");
});

test("the device token of a login is sent with the next one", async (t) => {
  const { client, service } = await loggedIn(t);
  service.on("POST /login", () => ok(service.pair(), { "Device-Token": "device-1" }));
  await client.login(ALICE);
  await client.login(ALICE);
  assert.deepEqual(service.of("POST /login").map(({ headers }) => headers.get("Device-Token")), [null, null, "device-1"]);
});

test("listeners are called for changes only, and the session is the same object until then", async (t) => {
  const { client, clock } = await loggedIn(t);
  let changes = 0;
  const unsubscribe = client.subscribe(() => (changes += 1));
  const before = client.getSession();
  clock.now += 900_000;
  await client.me();
  assert.equal(client.getSession(), before);
  assert.equal(changes, 0);
  await client.login(ALICE);
  assert.notEqual(client.getSession(), before);
  await client.logout();
  assert.equal(changes, 2);
  unsubscribe();
  await client.login(ALICE);
  assert.equal(changes, 2);
});

test("a closed client still logs in and out", async (t) => {
  const { client, service } = await loggedIn(t);
  client.close();
  client.close();
  await client.logout();
  assert.equal(client.getSession().status, "anonymous");
  await client.login(ALICE);
  assert.equal(client.getSession().status, "authenticated");
  assert.equal(service.of("POST /logout").length, 1);
});

test("a listener that fails is reported, and neither the login nor other listeners fail", async (t) => {
  const { client } = await loggedIn(t);
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  t.after(() => delete globalThis.reportError);
  const messages = [];
  t.mock.method(BroadcastChannel.prototype, "postMessage", (message) => messages.push(message));
  client.subscribe(() => {
    throw new Error("broken");
  });
  let changes = 0;
  client.subscribe(() => (changes += 1));
  await client.login(ALICE);
  assert.deepEqual([reported, messages, changes], [["broken"], ["login"], 1]);
});

test("wrong options are refused", () => {
  assert.throws(() => createClient({ baseUrl: BASE, refresh: "cookies" }), {
    name: "TypeError",
    message: /refresh must be "memory" or "cookie", not cookies/,
  });
  assert.throws(() => createClient({ baseUrl: "/auth", refresh: "cookie" }), {
    name: "TypeError",
    message: /baseUrl must be a URL, or in a page a path, not \/auth/,
  });
});

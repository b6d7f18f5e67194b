// Tests cookie mode, and two tabs, against a stand-in for the service.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createClient } from "../dist/index.js";
import { BASE, fakeService, ok, pending, problem } from "./fake.mjs";

const ALICE = { login: "alice", password: "seven sober walruses 42" };

// The clients' channels do not keep the process running while a test waits for their messages.
const running = setInterval(() => {}, 1000);
after(() => clearInterval(running));

function tab(t, service, refresh) {
  const client = createClient({ baseUrl: BASE, refresh, fetch: service.send });
  t.after(client.close);
  return client;
}

/** Waits for the session of the client to get the status. */
async function untilStatus(client, status) {
  while (client.getSession().status !== status) {
    await new Promise((resolve) => {
      const unsubscribe = client.subscribe(() => resolve(unsubscribe()));
    });
  }
}

test("cookie mode asks for cookies, and sends them only to the calls that need them", async (t) => {
  const service = fakeService({ cookies: true });
  const client = tab(t, service, "cookie");
  await client.login(ALICE);
  await client.changePassword({ current_password: "a", new_password: "b" });
  await client.fetch("https://auth.example.com/items");
  await client.logout();
  const sent = service.requests.map(({ call, query, credentials, bearer }) => [call, query, credentials, bearer]);
  assert.deepEqual(sent, [
    ["POST /login", "?refresh_cookie=true&device_cookie=true", "include", undefined],
    ["PUT /me/password", "?refresh_cookie=true&device_cookie=true", "include", "access-1"],
    ["GET /items", "", "same-origin", "access-2"],
    ["POST /logout", "", "include", "access-2"],
  ]);
});

test("memory mode neither sends nor accepts cookies", async (t) => {
  const service = fakeService();
  const client = tab(t, service, "memory");
  await client.login(ALICE);
  await client.logout();
  assert.deepEqual(service.requests.map(({ query, credentials }) => [query, credentials]), [["", "omit"], ["", "omit"]]);
});

test("a restored session needs one refresh without a token", async (t) => {
  const service = fakeService({ cookies: true });
  const client = tab(t, service, "cookie");
  assert.equal(client.getSession().status, "unknown");
  assert.deepEqual(await Promise.all([client.restore(), client.restore()]), [true, true]);
  assert.equal(client.getSession().status, "authenticated");
  const [refresh, ...more] = service.of("POST /refresh");
  assert.deepEqual([refresh.bearer, refresh.body, refresh.credentials, more.length], [undefined, "", "include", 0]);
});

test("without a cookie nothing is restored, and the session has no reason", async (t) => {
  const service = fakeService({ cookies: true });
  service.on("POST /refresh", () => problem(401, "token_missing"));
  const client = tab(t, service, "cookie");
  assert.equal(await client.restore(), false);
  assert.deepEqual(client.getSession(), { status: "anonymous", reason: undefined });
});

test("a call before the session is known restores it first", async (t) => {
  const service = fakeService({ cookies: true });
  const client = tab(t, service, "cookie");
  await Promise.all([client.me(), client.me()]);
  assert.deepEqual(service.requests.map(({ call }) => call), ["POST /refresh", "GET /me", "GET /me"]);
  assert.equal(service.of("GET /me")[0].bearer, "access-1");
});

test("an unavailable service leaves the session unknown, so that it can be restored later", async (t) => {
  const service = fakeService({ cookies: true });
  service.on("POST /refresh", () => problem(503, "unavailable", { "Retry-After": "60" }));
  const client = tab(t, service, "cookie");
  await assert.rejects(client.restore(), { status: 503 });
  assert.equal(client.getSession().status, "unknown");
  service.on("POST /refresh", () => ok(service.pair()));
  assert.equal(await client.restore(), true);
});

test("memory mode has nothing to restore", async (t) => {
  const service = fakeService();
  const client = tab(t, service, "memory");
  assert.equal(await client.restore(), false);
  assert.equal(service.requests.length, 0);
});

test("a logout before the session is known ends the session of the cookie", async (t) => {
  const service = fakeService({ cookies: true });
  const client = tab(t, service, "cookie");
  await client.logout();
  assert.deepEqual(service.requests.map(({ call, bearer }) => [call, bearer]), [["POST /logout", undefined]]);
});

test("a logout in one tab ends the session of the other, which calls nothing in cookie mode", async (t) => {
  const service = fakeService({ cookies: true });
  const [first, second] = [tab(t, service, "cookie"), tab(t, service, "cookie")];
  await first.login(ALICE);
  await untilStatus(second, "authenticated");
  await first.logout();
  await untilStatus(second, "anonymous");
  await turn();
  assert.equal(service.of("POST /logout").length, 1);
});

test("a logout in one tab ends the other tab's own session in memory mode", async (t) => {
  const service = fakeService();
  const ended = pending();
  service.on("POST /logout", ({ bearer }) => {
    if (bearer === "access-2") ended.resolve();
    return new Response(null, { status: 204 });
  });
  const [first, second] = [tab(t, service, "memory"), tab(t, service, "memory")];
  await first.login(ALICE);
  await second.login(ALICE);
  assert.equal(first.getSession().status, "authenticated");
  await first.logout();
  await untilStatus(second, "anonymous");
  await ended.promise;
});

test("a login in one tab changes the session of the other in cookie mode", async (t) => {
  const service = fakeService({ cookies: true });
  const [first, second] = [tab(t, service, "cookie"), tab(t, service, "cookie")];
  await first.login(ALICE);
  await untilStatus(second, "authenticated");
  await second.me();
  assert.equal(service.of("GET /me")[0].bearer, "access-2");
});

test("messages between tabs contain no tokens", async (t) => {
  const messages = [];
  t.mock.method(BroadcastChannel.prototype, "postMessage", (message) => messages.push(message));
  const service = fakeService();
  const client = tab(t, service, "memory");
  await client.login(ALICE);
  await client.logout();
  assert.deepEqual(messages, ["login", "logout"]);
});

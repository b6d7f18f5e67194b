// Tests cookie mode, and two tabs, against a stand-in for the service.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createClient } from "../dist/index.js";
import { BASE, accessToken, fakeService, ok, pending, problem } from "./fake.mjs";

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

for (const [mode, expected] of [["memory", ["login", "logout"]], ["cookie", ["login", "refreshed", "logout"]]]) {
  test(`messages between tabs contain no tokens in ${mode} mode`, async (t) => {
    const clock = { now: 1000 };
    t.mock.method(performance, "now", () => clock.now);
    const messages = [];
    t.mock.method(BroadcastChannel.prototype, "postMessage", (message) => messages.push(message));
    const service = fakeService({ cookies: mode === "cookie" });
    const client = tab(t, service, mode);
    await client.login(ALICE);
    clock.now += 900_000;
    await client.me();
    await client.logout();
    assert.deepEqual(messages, expected);
  });
}

test("in memory mode, tabs that refresh at the same time do not repeat it", async (t) => {
  const clock = { now: 1000 };
  t.mock.method(performance, "now", () => clock.now);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const service = fakeService();
  const tabs = [tab(t, service, "memory"), tab(t, service, "memory")];
  const answers = [];
  service.on("POST /refresh", () => {
    answers.push(pending());
    return answers.at(-1).promise;
  });
  for (const client of tabs) await client.login(ALICE);
  clock.now += 900_000;
  const calls = tabs.map((client) => client.me());
  while (answers.length < 2) await turn();
  for (const [index, answer] of answers.entries()) {
    answer.resolve(ok(service.pair()));
    await calls[index];
    await turn();
  }
  t.mock.timers.tick(10_000);
  await turn();
  assert.equal(service.of("POST /refresh").length, 2);
});

const SESSION = "0199d0c4-0000-7000-8000-00000000000";

/** A response with an access token of the user's session. Its claims are not only ASCII. */
function issued(login, sid, jti) {
  const token = accessToken({ sub: `id of ${login}`, sid: SESSION + sid, jti, roles: ["später", "??>>"] });
  return ok({ access_token: token, token_type: "Bearer", expires_in: 900 });
}

/** The users whose access tokens the requests carried. */
function usersOf(requests) {
  return requests.map(({ bearer }) => JSON.parse(Buffer.from(bearer.split(".")[1], "base64url")).sub);
}

/** Logs in as alice, with a monotonic clock that the test moves. */
async function aliceIn(t) {
  const clock = { now: 1000 };
  t.mock.method(performance, "now", () => clock.now);
  const service = fakeService({ cookies: true });
  service.on("POST /login", ({ body }) => issued(JSON.parse(body).login, 1, "a"));
  const client = tab(t, service, "cookie");
  await client.login(ALICE);
  return { client, service, clock };
}

for (const [name, login, sid] of [["another user", "bob", 2], ["another session of the user", "alice", 2]]) {
  test(`a tab that missed the login of ${name} opens that session, and repeats no request in it`, async (t) => {
    const { client, service, clock } = await aliceIn(t);
    const before = client.getSession();
    let changes = 0;
    client.subscribe(() => (changes += 1));
    service.on("POST /refresh", () => issued(login, sid, "b"));
    service.on("POST /items", () => problem(401, "token_revoked"));
    const rejected = client.fetch("https://auth.example.com/items", { method: "POST" });
    await assert.rejects(rejected, { name: "AbortError" });
    assert.deepEqual(usersOf(service.of("POST /items")), ["id of alice"]);
    assert.equal(client.getSession().status, "authenticated");
    assert.notEqual(client.getSession(), before);
    assert.equal(changes, 1);
    await client.me();
    assert.deepEqual(usersOf(service.of("GET /me")), [`id of ${login}`]);
    // A call that finds its token expired is not sent as the other user either.
    service.on("POST /refresh", () => issued("carol", 3, "c"));
    clock.now += 900_000;
    await assert.rejects(Promise.all([client.me(), client.me()]), { name: "AbortError" });
    assert.equal(service.of("GET /me").length, 1);
    assert.equal(changes, 2);
  });
}

test("a refresh of the same session changes nothing but the tokens", async (t) => {
  const { client, service, clock } = await aliceIn(t);
  const before = client.getSession();
  service.on("POST /refresh", () => issued("alice", 1, "b"));
  clock.now += 900_000;
  await client.me();
  assert.equal(client.getSession(), before);
});

test("a cookie of an earlier user that arrives after a login does not send requests as that user", async (t) => {
  const { client, service, clock } = await aliceIn(t);
  // The response of alice's refresh is lost to the page, but the browser stores its cookie last.
  service.on("POST /refresh", () => pending().promise);
  clock.now += 900_000;
  const call = client.me();
  await turn();
  service.on("POST /login", () => issued("bob", 2, "b"));
  await client.login({ login: "bob", password: "nine quiet otters 42" });
  await assert.rejects(call, { name: "AbortError" });
  service.on("POST /refresh", () => issued("alice", 1, "c"));
  clock.now += 900_000;
  await assert.rejects(client.me(), { name: "AbortError" });
  assert.equal(service.of("GET /me").length, 0);
  await client.me();
  assert.deepEqual(usersOf(service.of("GET /me")), ["id of alice"]);
});

test("a login in another tab while the session is restored is restored, too", async (t) => {
  const service = fakeService({ cookies: true });
  const first = tab(t, service, "cookie");
  const second = tab(t, service, "cookie");
  service.on("POST /refresh", () => {
    service.on("POST /refresh", () => ok(service.pair()));
    return pending().promise;
  });
  const me = second.me();
  await turn();
  await first.login(ALICE);
  assert.deepEqual(await me, { login: "alice" });
  assert.notEqual(service.of("GET /me")[0].bearer, undefined);
});

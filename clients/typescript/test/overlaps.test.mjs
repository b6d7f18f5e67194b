// Tests refreshes of several tabs at the same time. They share a cookie jar, and each response sets
// the cookie when the test delivers it.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createClient } from "../dist/index.js";
import { BASE, fakeService, ok, pending, problem } from "./fake.mjs";

const GRACE = 10_000; // ms
const LIFETIME = 900_000; // ms
const REPEATED = 2_000; // ms, after which a tab that repeats its refresh has sent it

// The clients' channels do not keep the process running while a test waits for their messages.
const running = setInterval(() => {}, 1000);
after(() => clearInterval(running));

/** Lets promises and messages between tabs settle. */
async function settle() {
  for (let turns = 0; turns < 20; turns += 1) await turn();
}

/**
 * Starts tabs of one session, the access tokens of which have expired, on a clock that the test
 * moves. The refresh tokens are numbers: `jar` is the one in the cookie, `current` the latest.
 */
async function expiredTabs(t, count) {
  let now = 1000;
  t.mock.method(performance, "now", () => now);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const service = fakeService({ cookies: true });
  const tabs = Array.from({ length: count }, () => createClient({ baseUrl: BASE, refresh: "cookie", fetch: service.send }));
  tabs.forEach((tab) => t.after(tab.close));
  const world = { tabs, requests: [], jar: 0, current: 0 };
  const replacedAt = [];

  service.on("POST /refresh", () => {
    if (world.jar === world.current) {
      replacedAt[world.current] = now;
      world.current += 1;
    } else if (now - replacedAt[world.jar] >= GRACE) {
      return problem(401, "refresh_token_reused");
    }
    const [issued, response] = [world.current, pending()];
    const deliver = () => {
      world.jar = issued;
      response.resolve(ok(service.pair()));
    };
    world.requests.push({ deliver, refuse: response.resolve });
    return response.promise;
  });

  /** Moves the clock, which sends the repetitions that are due. */
  world.advance = async (milliseconds) => {
    now += milliseconds;
    t.mock.timers.tick(milliseconds);
    await settle();
  };
  /** Sends the refreshes of these tabs, which the service processes at once. */
  world.send = async (...tabs) => {
    for (const tab of tabs) tab.me().catch(() => {});
    await settle();
  };
  /** Delivers the responses to these requests at the same time. */
  world.deliver = async (...numbers) => {
    for (const number of numbers) world.requests[number].deliver();
    await settle();
  };

  for (const tab of tabs) {
    tab.restore();
    await settle();
    await world.deliver(world.requests.length - 1);
    await world.advance(1000);
  }
  await world.advance(LIFETIME);
  world.requests.length = 0;
  return world;
}

const statuses = (world) => world.tabs.map((tab) => tab.getSession().status);

test("a session survives a late response that puts an older refresh token into the jar", async (t) => {
  const world = await expiredTabs(t, 3);
  const [a, b, c] = world.tabs;
  await world.send(a, b);
  await world.deliver(0);
  await world.advance(200);
  await world.send(c);
  await world.deliver(2);
  await world.advance(200);
  await world.deliver(1);
  assert.equal(world.jar, world.current - 1, "the late response carries an older token");
  await world.advance(REPEATED);
  const repetitions = world.requests.slice(3);
  for (const { deliver } of repetitions) deliver();
  await settle();
  await world.advance(LIFETIME);
  await world.send(a);
  assert.deepEqual(a.getSession(), { status: "authenticated" });
  assert.equal(repetitions.length, 1);
});

test("two late responses that arrive at the same time do not rely on each other", async (t) => {
  const world = await expiredTabs(t, 4);
  const [a, b, c, d] = world.tabs;
  await world.send(a, b, d);
  await world.deliver(0);
  await world.send(c);
  await world.deliver(3);
  await world.deliver(1, 2);
  assert.equal(world.jar, world.current - 1);
  await world.advance(REPEATED);
  await world.deliver(4, 5);
  assert.equal(world.jar, world.current);
});

test("tabs that refresh one after the other do not repeat it", async (t) => {
  const world = await expiredTabs(t, 2);
  for (const [number, tab] of world.tabs.entries()) {
    await world.send(tab);
    await world.deliver(number);
  }
  await world.advance(REPEATED);
  assert.equal(world.requests.length, 2);
});

test("a refresh after one that overlapped and failed is not repeated", async (t) => {
  const world = await expiredTabs(t, 2);
  await world.send(...world.tabs);
  await world.deliver(0);
  world.requests[1].refuse(problem(503, "unavailable", { "Retry-After": "60" }));
  await settle();
  await world.send(world.tabs[1]);
  await world.deliver(2);
  await world.advance(REPEATED);
  assert.equal(world.requests.length, 3);
});

test("of tabs whose refreshes overlap, only the last one repeats it", async (t) => {
  const world = await expiredTabs(t, 5);
  await world.send(...world.tabs);
  for (const number of world.tabs.keys()) {
    await world.deliver(number);
    await world.advance(200);
  }
  await world.advance(REPEATED);
  assert.equal(world.requests.length, 6);
  await world.deliver(5);
  await world.advance(REPEATED);
  assert.equal(world.requests.length, 6);
  assert.equal(world.jar, world.current);
});

test("tabs whose refreshes end at the same time repeat them in fewer and fewer tabs", async (t) => {
  const world = await expiredTabs(t, 5);
  await world.send(...world.tabs);
  const rounds = [];
  for (let sent = 0; sent < world.requests.length && rounds.length < 10; ) {
    const end = world.requests.length;
    rounds.push(end - sent);
    for (; sent < end; sent += 1) await world.deliver(sent);
    await world.advance(REPEATED);
  }
  assert.deepEqual(rounds, [5, 4, 3, 2]);
  assert.equal(world.jar, world.current);
  assert.deepEqual(statuses(world), Array(5).fill("authenticated"));
});

test("a tab repeats a refresh three times at most, even if each response takes longer than the wait", async (t) => {
  const world = await expiredTabs(t, 3);
  await world.send(...world.tabs);
  await world.deliver(0);
  await world.deliver(1);
  for (let number = 2; number < world.requests.length && number < 50; number += 1) {
    // The other tab sends its repetition before the response to this one arrives.
    await world.advance(REPEATED);
    await world.deliver(number);
  }
  await world.advance(REPEATED);
  assert.equal(world.requests.length, 3 + 2 * 3);
});

for (const [name, end] of [
  ["a logout", ([, tab]) => tab.logout()],
  ["a logout in another tab", ([other]) => other.logout()],
  ["closing the client", ([, tab]) => tab.close()],
]) {
  test(`${name} cancels the repetition`, async (t) => {
    const world = await expiredTabs(t, 2);
    await world.send(...world.tabs);
    await world.deliver(0);
    await world.deliver(1);
    await end(world.tabs);
    await settle();
    await world.advance(REPEATED);
    assert.equal(world.requests.length, 2);
  });
}

for (const [status, code, session] of [
  [503, "unavailable", { status: "authenticated" }],
  [401, "session_revoked", { status: "anonymous", reason: "session_revoked" }],
]) {
  test(`after a repetition that is refused with ${status}, the session is ${session.status}`, async (t) => {
    const world = await expiredTabs(t, 2);
    await world.send(...world.tabs);
    await world.deliver(0);
    await world.deliver(1);
    await world.advance(REPEATED);
    world.requests[2].refuse(problem(status, code, { "Retry-After": "60" }));
    await settle();
    assert.deepEqual(world.tabs[1].getSession(), session);
    await world.advance(REPEATED);
    assert.equal(world.requests.length, 3);
  });
}

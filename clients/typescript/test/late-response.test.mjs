// Tests in headless Chromium that a session survives a response that arrives late (docs/adr/0041).
// A proxy in front of the real service delays one response to a refresh.
//
// AUTHAPI_BINARY names the service's binary, and CHROMIUM the browser.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { chromium } from "playwright-core";
import { chromiumOptions } from "../../../tests/browser/chromium.mjs";
import { startProxy } from "../../../tests/browser/proxy.mjs";
import { freePort, startService } from "../../../tests/browser/service.mjs";
import { serve } from "../../../examples/browser/serve.mjs";
import { CHEAP, account } from "./accounts.mjs";
import { pending } from "./fake.mjs";
import { logIn, loginAfterRefresh, openProfile, openTab, refreshTokenIn, untilStatus } from "./pages.mjs";

const HOSTS = "MAP localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1";

let service;
let proxy;
let app;
let browser;
// The refresh tokens of each request to `POST /refresh` and of its response, in the order of the
// service's responses.
const refreshes = [];
// The next response to a refresh, if it is to be delayed.
let delayed;

before(async () => {
  const port = await freePort();
  const origin = `http://localhost:${port}`;
  service = await startService({
    ...CHEAP,
    AUTHAPI_CORS__ORIGINS: origin,
    AUTHAPI_SERVER__TRUSTED_PROXIES: "127.0.0.1",
  });
  proxy = await startProxy({ route: ({ url }) => service.base + url, deliver });
  const baseUrl = `http://localhost:${proxy.port}`;
  app = { origin, baseUrl, refresh: "cookie", server: await serve({ port, baseUrl, refresh: "cookie" }) };
  browser = await chromium.launch(chromiumOptions(HOSTS));
});

after(async () => {
  await browser?.close();
  app?.server.close();
  await proxy?.stop();
  await service?.stop();
});

/** Records a refresh, and waits for its release if it is to be delayed. */
async function deliver(incoming, response) {
  if (incoming.method !== "POST" || incoming.url !== "/refresh") return;
  const [presented, issued] = [incoming.headers.cookie, response.headers["set-cookie"]].map(refreshTokenIn);
  refreshes.push({ presented, issued });
  const delay = delayed;
  delayed = undefined;
  delay?.arrived.resolve();
  await delay?.released.promise;
}

/** Delays the next response to a refresh after the service has sent it. */
function delayNext() {
  return (delayed = { arrived: pending(), released: pending() });
}

/** Waits until the service rejects all refresh tokens that were replaced before this call. */
async function untilGraceWindowEnds() {
  const user = account();
  const post = (path, init) => fetch(service.base + path, { method: "POST", ...init });
  const json = { headers: { "Content-Type": "application/json" }, body: JSON.stringify(user) };
  await post("/register", json);
  const { refresh_token } = await (await post("/login", json)).json();
  const refresh = () => post("/refresh", { headers: { Authorization: `Bearer ${refresh_token}` } });
  while ((await refresh()).ok) await pause(100);
}

test("a session survives a late response that sets the cookie to an older refresh token", async (t) => {
  const context = await openProfile(t, browser);
  const [first, second] = [await openTab(context, app.origin, app), await openTab(context, app.origin, app)];
  const user = await logIn(first);
  await untilStatus(second, "authenticated");
  refreshes.length = 0;

  const delay = delayNext();
  const late = loginAfterRefresh(second);
  await delay.arrived.promise;
  assert.equal(await loginAfterRefresh(first), user.login);
  assert.equal(await loginAfterRefresh(first), user.login);
  delay.released.resolve();
  assert.equal(await late, user.login);
  await untilGraceWindowEnds();

  const [older, , current, ...repeated] = refreshes.splice(0);
  assert.equal(await loginAfterRefresh(first), user.login);
  assert.equal(await loginAfterRefresh(second), user.login);
  assert.notEqual(older.issued, current.issued);
  assert.deepEqual(repeated, [{ presented: older.issued, issued: current.issued }]);
});

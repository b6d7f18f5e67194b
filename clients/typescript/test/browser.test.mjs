// Tests the client and the example of docs/browser.md in headless Chromium. The real service is on
// another origin or behind a proxy.
//
// AUTHAPI_BINARY names the service's binary, and CHROMIUM the browser.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { chromiumOptions } from "../../../tests/browser/chromium.mjs";
import { freePort, startService } from "../../../tests/browser/service.mjs";
import { serve } from "../../../examples/browser/serve.mjs";
import { CHEAP, account } from "./accounts.mjs";
import {
  EMPTY,
  attack,
  logIn,
  loginAfterRefresh,
  loginOf,
  openProfile,
  openTab,
  refreshCookies,
  statusOf,
  untilStatus,
} from "./pages.mjs";

// localhost and 127.0.0.1 are two sites; all other hosts do not resolve.
const HOSTS = "MAP localhost 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1";

let browser;
let direct; // the service, which two apps may call from their origins
let proxied; // the service behind the proxy of an app, below /auth
let apps;
const servers = [];

before(async () => {
  const ports = await Promise.all(Array.from({ length: 4 }, freePort));
  const [sameSite, otherSite, proxy, stranger] = ports;
  direct = await startService({
    ...CHEAP,
    AUTHAPI_CORS__ORIGINS: `http://localhost:${sameSite},http://127.0.0.1:${otherSite}`,
  });
  proxied = await startService({
    ...CHEAP,
    AUTHAPI_COOKIES__PATH_PREFIX: "/auth",
    AUTHAPI_TOKENS__ISSUER: `http://localhost:${proxy}/auth`,
    AUTHAPI_SERVER__TRUSTED_PROXIES: "127.0.0.1",
  });
  direct.url = direct.base.replace("127.0.0.1", "localhost");
  apps = {
    sameSite: await app("localhost", sameSite, { baseUrl: direct.url, refresh: "cookie" }),
    otherSite: await app("127.0.0.1", otherSite, { baseUrl: direct.url, refresh: "memory" }),
    proxy: await app("localhost", proxy, { baseUrl: "/auth", refresh: "cookie", service: proxied.base }),
    // Pages of a third party, on the site of the service and on another.
    sibling: await app("localhost", stranger, { baseUrl: direct.url, refresh: "cookie" }),
    foreign: `http://127.0.0.1:${stranger}`,
  };
  browser = await chromium.launch(chromiumOptions(HOSTS));
});

after(async () => {
  await browser?.close();
  for (const server of servers) server.close();
  await Promise.all([direct?.stop(), proxied?.stop()]);
});

/** Serves the example and returns its origin. */
async function app(host, port, config) {
  servers.push(await serve({ port, ...config }));
  return `http://${host}:${port}`;
}

const profile = (t) => openProfile(t, browser);

/** Opens a tab on an empty page of the origin, with a client of the service that apps call directly. */
const tab = (context, origin, refresh) => openTab(context, origin, { baseUrl: direct.url, refresh });

/** Opens a tab of an app whose service issues access tokens for five seconds. */
async function tabWithBriefTokens(t, origin, refresh) {
  const port = await freePort();
  const { protocol, hostname } = new URL(apps[origin]);
  const service = await startService({
    ...CHEAP,
    AUTHAPI_CORS__ORIGINS: `${protocol}//${hostname}:${port}`,
    AUTHAPI_TOKENS__ACCESS_TTL: "5s",
  });
  t.after(service.stop);
  const config = { baseUrl: service.base.replace("127.0.0.1", "localhost"), refresh };
  return { service, page: await openTab(await profile(t), await app(hostname, port, config), config) };
}

/** Returns the access token that the tab sends. */
async function accessTokenOf(page) {
  const sent = page.waitForRequest((request) => request.method() === "GET" && request.url().endsWith("/me"));
  await loginOf(page);
  return (await sent).headers().authorization;
}

/** Returns the code with which the service rejects the access token, if it does. */
async function rejectionOf(token, service) {
  const response = await fetch(`${service.base}/me`, { headers: { Authorization: token } });
  return (await response.json()).code;
}

for (const [mode, origin] of [["memory", "otherSite"], ["cookie", "sameSite"]]) {
  test(`${mode} mode: an app on another origin registers, logs in and reads the account`, async (t) => {
    const page = await tab(await profile(t), apps[origin], mode);
    const user = await logIn(page);
    assert.equal(await loginOf(page), user.login);
  });

  test(`${mode} mode: fifty concurrent calls with an expired token refresh once`, async (t) => {
    const page = await tab(await profile(t), apps[origin], mode);
    const user = await logIn(page);
    const logins = await page.evaluate(() => {
      expire();
      return Promise.all(Array.from({ length: 50 }, async () => (await auth.me()).login));
    });
    assert.deepEqual(new Set(logins), new Set([user.login]));
    assert.equal(logins.length, 50);
    assert.equal(page.refreshes.length, 1);
  });

  test(`${mode} mode: fifty concurrent calls with a token that the service rejects as expired refresh once`, async (t) => {
    const { service, page } = await tabWithBriefTokens(t, origin, mode);
    // The client's clock stands still, so only the service finds that the token has expired.
    await page.evaluate(() => (performance.now = () => 0));
    const user = await logIn(page);
    const token = await accessTokenOf(page);
    while ((await rejectionOf(token, service)) !== "token_expired") await pause(100);
    const rejected = [];
    page.on("response", (response) => {
      if (response.status() === 401) rejected.push(new URL(response.url()).pathname);
    });
    const logins = await page.evaluate(() => Promise.all(Array.from({ length: 50 }, async () => (await auth.me()).login)));
    assert.deepEqual(logins, Array(50).fill(user.login));
    assert.equal(page.refreshes.length, 1);
    assert.deepEqual(rejected, Array(50).fill("/me"));
  });

  test(`${mode} mode: a logout in one tab ends the session of the other`, async (t) => {
    const context = await profile(t);
    const [first, second] = [await tab(context, apps[origin], mode), await tab(context, apps[origin], mode)];
    const user = await logIn(first);
    if (mode === "memory") await second.evaluate((user) => auth.login(user), user);
    await untilStatus(second, "authenticated");
    const token = await accessTokenOf(second);
    const answered = mode === "memory" ? second.waitForResponse(`${direct.url}/logout`) : null;
    await first.evaluate(() => auth.logout());
    await untilStatus(second, "anonymous");
    if (answered) assert.equal((await answered).status(), 204);
    const code = await second.evaluate(() => auth.me().catch((error) => error.code));
    assert.equal(code, "token_missing");
    assert.equal(await rejectionOf(token, direct), "token_revoked");
  });

  test(`${mode} mode: wrong wall clocks cause neither a refresh nor a logout`, async (t) => {
    const page = await tab(await profile(t), apps[origin], mode);
    const user = await logIn(page);
    for (const skew of [-86_400_000, 86_400_000]) {
      await page.evaluate((skew) => {
        const now = Date.now;
        Date.now = () => now() + skew;
      }, skew);
      assert.equal(await loginOf(page), user.login);
    }
    assert.equal(page.refreshes.length, 0);
  });

  test(`${mode} mode: a 503 with Retry-After delays the refresh and keeps the session`, async (t) => {
    const page = await tab(await profile(t), apps[origin], mode);
    const user = await logIn(page);
    const attempts = [];
    await page.route(`${direct.url}/refresh`, (route) => {
      attempts.push(performance.now());
      if (attempts.length > 1) return route.continue();
      return route.fulfill({
        status: 503,
        contentType: "application/problem+json",
        headers: {
          "Retry-After": "1",
          "Access-Control-Allow-Origin": apps[origin],
          "Access-Control-Allow-Credentials": "true",
          "Access-Control-Expose-Headers": "Retry-After",
        },
        body: JSON.stringify({ title: "Overloaded", status: 503, detail: "", code: "overloaded" }),
      });
    });
    await page.evaluate(() => expire());
    assert.equal(await loginOf(page), user.login);
    assert.equal(attempts.length, 2);
    assert.ok(attempts[1] - attempts[0] >= 1000, "the wait was shorter than Retry-After");
  });

  test(`${mode} mode: a rejected login has its code`, async (t) => {
    const page = await tab(await profile(t), apps[origin], mode);
    const code = await page.evaluate(() => auth.login({ login: "nemo", password: "nemo" }).catch((error) => error.code));
    assert.equal(code, "invalid_credentials");
  });
}

test("two tabs refresh at once 200 times without a logout", async (t) => {
  const context = await profile(t);
  const first = await tab(context, apps.sameSite, "cookie");
  const second = await tab(context, apps.sameSite, "cookie");
  const user = await logIn(first);
  await untilStatus(second, "authenticated");
  first.refreshes.length = second.refreshes.length = 0;
  // Sends the requests of both tabs at the same time.
  const waiting = [];
  await context.route(`${direct.url}/refresh`, async (route) => {
    waiting.push(route);
    if (waiting.length === 2) await Promise.all(waiting.splice(0).map((one) => one.continue()));
  });
  for (let round = 0; round < 200; round += 1) {
    assert.deepEqual(await Promise.all([loginAfterRefresh(first), loginAfterRefresh(second)]), [user.login, user.login]);
  }
  const counts = [first.refreshes.length, second.refreshes.length];
  // More, if a round took so long that the last tab of the previous one repeated its refresh.
  assert.ok(counts.every((count) => count >= 200), `${counts}`);
  assert.deepEqual([await statusOf(first), await statusOf(second)], ["authenticated", "authenticated"]);
});

test("scripts never see the refresh token of cookie mode", async (t) => {
  const context = await profile(t);
  const page = await tab(context, apps.sameSite, "cookie");
  const bodies = [];
  page.on("response", async (response) => bodies.push([response.url(), response.text().catch(() => "")]));
  await logIn(page);
  await loginAfterRefresh(page);
  const [cookie, ...others] = await refreshCookies(context, direct.url);
  assert.equal(others.length, 0);
  assert.deepEqual([cookie.httpOnly, cookie.secure, cookie.sameSite, cookie.path], [true, true, "Strict", "/refresh"]);
  const texts = await Promise.all(bodies.map(async ([url, text]) => [new URL(url).pathname, await text]));
  const issued = texts.filter(([path, text]) => ["/login?", "/login", "/refresh"].includes(path) && text);
  assert.equal(issued.length, 2);
  for (const [, text] of texts) assert.ok(!text.includes(cookie.value) && !text.includes("refresh_token"), text);
  await page.goto(`${direct.url}/refresh`);
  assert.equal(await page.evaluate(() => document.cookie), "");
  await page.goto(`${apps.sameSite}${EMPTY}`);
  const readable = await page.evaluate(async () =>
    JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }, await indexedDB.databases(), await caches.keys()]),
  );
  assert.equal(readable, JSON.stringify(["", {}, {}, [], []]));
});

// Of another site, no cookie is sent; of the same site, the service rejects the origin.
for (const [attacker, rejection] of [["foreign", 401], ["sibling", 403]]) {
  for (const path of ["/refresh", "/logout"]) {
    test(`a form and a fetch of a ${attacker} page cannot call ${path} with the cookie`, async (t) => {
      const context = await profile(t);
      const page = await tab(context, apps.sameSite, "cookie");
      const user = await logIn(page);
      const before = await refreshCookies(context, direct.url);
      const { read, fetched, posted } = await attack(context, apps[attacker], direct.url + path);
      assert.equal(read, "TypeError");
      assert.equal(fetched, rejection);
      assert.ok(posted >= 400 && posted < 500, `${posted}`);
      assert.deepEqual(await refreshCookies(context, direct.url), before);
      assert.equal(await loginAfterRefresh(page), user.login);
    });
  }
}

/** Enters the login and the password into the example's form and presses the button. */
async function submit(page, user, button) {
  await page.getByLabel("Login").fill(user.login);
  await page.getByLabel("Password").fill(user.password);
  await page.getByRole("button", { name: button, exact: true }).click();
  await page.getByText(`Logged in as ${user.login}`).waitFor();
}

for (const origin of ["proxy", "sameSite"]) {
  test(`the example keeps the login after a reload and in a second tab: ${origin}`, async (t) => {
    const context = await profile(t);
    const page = await context.newPage();
    const user = account();
    await page.goto(apps[origin]);
    await submit(page, user, "Register");
    await page.reload();
    await page.getByText(`Logged in as ${user.login}`).waitFor();
    const second = await context.newPage();
    await second.goto(apps[origin]);
    await second.getByText(`Logged in as ${user.login}`).waitFor();
    await second.getByRole("button", { name: "Log out", exact: true }).click();
    await page.getByRole("button", { name: "Log in", exact: true }).waitFor();
    await page.reload();
    await submit(page, user, "Log in");
  });
}

test("the example shows its form and a message while the service is down", async (t) => {
  const context = await profile(t);
  await context.route(`${apps.proxy}/auth/refresh`, (route) => route.fulfill({ status: 502 }));
  const page = await context.newPage();
  await page.goto(apps.proxy);
  await page.getByText("The response has the status 502").waitFor();
  await context.unroute(`${apps.proxy}/auth/refresh`);
  await submit(page, account(), "Register");
});

test("the example does not show the account of an earlier session", async (t) => {
  const context = await profile(t);
  const page = await context.newPage();
  const [alice, bob] = [account(), account()];
  const asked = new Promise((resolve) => {
    context.route(`${apps.proxy}/auth/me`, resolve, { times: 1 });
  });
  await page.goto(apps.proxy);
  await page.getByLabel("Login").fill(alice.login);
  await page.getByLabel("Password").fill(alice.password);
  await page.getByRole("button", { name: "Register" }).click();
  const late = await asked;
  await page.getByRole("button", { name: "Log out", exact: true }).click();
  await submit(page, bob, "Register");
  const answered = page.waitForResponse(`${apps.proxy}/auth/me`);
  await late.fulfill({ status: 200, contentType: "application/json", body: JSON.stringify(alice) });
  await answered;
  assert.equal(await page.locator("#name").textContent(), bob.login);
});

test("a tab that missed another login in cookie mode does not act as that user", async (t) => {
  const context = await profile(t);
  const [first, second] = [await tab(context, apps.sameSite, "cookie"), await tab(context, apps.sameSite, "cookie")];
  await logIn(first);
  await untilStatus(second, "authenticated");
  await first.evaluate(() => auth.close());
  const bob = await logIn(second);
  await first.evaluate(() => expire());
  assert.equal(await first.evaluate(() => auth.me().catch((error) => error.name)), "AbortError");
  assert.equal(await loginOf(first), bob.login);
});

test("the page of docs/browser.md logs in and keeps the login", async (t) => {
  const doc = await readFile(new URL("../../../docs/browser.md", import.meta.url), "utf8");
  const [, html] = doc.match(/^```html\n(.*?)^```/ms);
  const context = await profile(t);
  const module = "/node_modules/@authapi/client/dist/index.js";
  await context.route(`${apps.proxy}/page`, (route) => route.fulfill({ contentType: "text/html", body: html }));
  await context.route(apps.proxy + module, (route) =>
    route.fulfill({ contentType: "text/javascript", path: fileURLToPath(new URL("../dist/index.js", import.meta.url)) }),
  );
  const user = account();
  await fetch(`${proxied.base}/register`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(user),
  });
  const page = await context.newPage();
  await page.goto(`${apps.proxy}/page`);
  await page.getByText("anonymous").waitFor();
  await page.locator("input[name=login]").fill(user.login);
  await page.locator("input[name=password]").fill(user.password);
  await page.getByRole("button").click();
  await page.getByText(`Hello, ${user.login}`).waitFor();
  await page.reload();
  await page.getByText(`Hello, ${user.login}`).waitFor();
});

test("the example in memory mode needs a login after a reload", async (t) => {
  const page = await (await profile(t)).newPage();
  const user = account();
  await page.goto(apps.otherSite);
  await submit(page, user, "Register");
  await page.reload();
  await submit(page, user, "Log in");
  await page.getByRole("button", { name: "Log out on all devices" }).click();
  await page.getByRole("button", { name: "Log in", exact: true }).waitFor();
});

test("the example explains why a password is rejected", async (t) => {
  const page = await (await profile(t)).newPage();
  await page.goto(apps.otherSite);
  await page.getByLabel("Login").fill("walrus");
  await page.getByLabel("Password").fill("password1");
  await page.getByRole("button", { name: "Register" }).click();
  await page.getByText("password: ").waitFor();
});

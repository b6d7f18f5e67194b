// Tests cookie mode over TLS in headless Chromium: an app and the service on two hosts of one site,
// as "CORS with a cookie" of docs/browser.md deploys them. A proxy with a self-signed certificate is
// in front of both.
//
// AUTHAPI_BINARY names the service's binary, and CHROMIUM the browser.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { chromiumOptions } from "../../../tests/browser/chromium.mjs";
import { startProxy } from "../../../tests/browser/proxy.mjs";
import { freePort, startService } from "../../../tests/browser/service.mjs";
import { serve } from "../../../examples/browser/serve.mjs";
import { CHEAP } from "./accounts.mjs";
import { attack, logIn, loginAfterRefresh, loginOf, openProfile, openTab, refreshCookies, startClient } from "./pages.mjs";

const APP = "https://app.example.test";
const CLIENT = { baseUrl: "https://api.example.test", refresh: "cookie" };
// Pages of a third party. With requests of another site, the browser sends no cookie; of the same
// site, the service rejects the origin.
const ATTACKERS = { "https://other.test": 401, "https://evil.example.test": 403 };

let service;
let pages;
let proxy;
let browser;

before(async () => {
  service = await startService({
    ...CHEAP,
    AUTHAPI_TOKENS__ISSUER: CLIENT.baseUrl,
    AUTHAPI_CORS__ORIGINS: APP,
    AUTHAPI_SERVER__TRUSTED_PROXIES: "127.0.0.1",
  });
  const port = await freePort();
  pages = await serve({ port, ...CLIENT });
  const toService = ({ headers }) => `https://${headers.host}` === CLIENT.baseUrl;
  proxy = await startProxy({
    route: (request) => (toService(request) ? service.base : `http://127.0.0.1:${port}`) + request.url,
    tls: selfSigned("*.example.test", "other.test"),
  });
  const local = `127.0.0.1:${proxy.port}`;
  browser = await chromium.launch(chromiumOptions(`MAP *.example.test ${local}, MAP other.test ${local}, MAP * ~NOTFOUND`));
});

after(async () => {
  await browser?.close();
  await proxy?.stop();
  pages?.close();
  await service?.stop();
});

/** Creates a key and a certificate for the hosts. */
function selfSigned(...hosts) {
  const names = hosts.map((host) => `DNS:${host}`).join(",");
  const options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "-", "-days", "1"];
  const subject = ["-subj", "/CN=test", "-addext", `subjectAltName=${names}`];
  const pem = execFileSync("openssl", ["req", "-x509", ...options, ...subject], { stdio: ["ignore", "pipe", "ignore"] });
  return { key: pem, cert: pem };
}

// Only the profiles of these tests accept the certificate.
const profile = (t) => openProfile(t, browser, { ignoreHTTPSErrors: true });

test("an app on a sibling host logs in, refreshes, stays logged in after a reload, and logs out", async (t) => {
  const context = await profile(t);
  const page = await openTab(context, APP, CLIENT);
  const user = await logIn(page);
  const [issued] = await refreshCookies(context, CLIENT.baseUrl);
  assert.equal(await loginAfterRefresh(page), user.login);
  assert.equal(page.refreshes.length, 1);
  const [replaced, ...others] = await refreshCookies(context, CLIENT.baseUrl);
  assert.notEqual(replaced.value, issued.value);
  assert.deepEqual(others, []);
  const { domain, path, httpOnly, secure, sameSite } = replaced;
  assert.deepEqual([domain, path, httpOnly, secure, sameSite], ["api.example.test", "/refresh", true, true, "Strict"]);

  await page.reload();
  await startClient(page, CLIENT);
  assert.equal(await page.evaluate(() => auth.restore()), true);
  assert.equal(await loginOf(page), user.login);

  await page.evaluate(() => auth.logout());
  assert.deepEqual(await refreshCookies(context, CLIENT.baseUrl), []);
  await page.reload();
  await startClient(page, CLIENT);
  assert.equal(await page.evaluate(() => auth.restore()), false);
});

test("scripts see the refresh token on neither host", async (t) => {
  const context = await profile(t);
  const page = await openTab(context, APP, CLIENT);
  const user = await logIn(page);
  // Everything that a script can read of the responses which set the cookie, and of the page.
  const readable = await page.evaluate(
    async ([base, user]) => {
      const post = async (path, body) => {
        const headers = { "Content-Type": "application/json" };
        const response = await fetch(base + path, { method: "POST", headers, body, credentials: "include" });
        return [response.status, [...response.headers], await response.text()];
      };
      return {
        login: await post("/login?refresh_cookie=true", JSON.stringify(user)),
        refresh: await post("/refresh"),
        page: [document.cookie, { ...localStorage }, { ...sessionStorage }, await indexedDB.databases(), await caches.keys()],
      };
    },
    [CLIENT.baseUrl, user],
  );
  assert.deepEqual([readable.login[0], readable.refresh[0]], [200, 200]);
  assert.deepEqual(readable.page, ["", {}, {}, [], []]);
  const [{ value }] = await refreshCookies(context, CLIENT.baseUrl);
  const text = JSON.stringify(readable);
  assert.ok(!text.includes(value) && !text.includes("refresh_token") && !text.includes("set-cookie"), text);
  await page.goto(`${CLIENT.baseUrl}/refresh`);
  assert.equal(await page.evaluate(() => document.cookie), "");
});

for (const [attacker, rejection] of Object.entries(ATTACKERS)) {
  test(`a page of ${attacker} can neither refresh nor log out`, async (t) => {
    const context = await profile(t);
    const page = await openTab(context, APP, CLIENT);
    const user = await logIn(page);
    const before = await refreshCookies(context, CLIENT.baseUrl);
    for (const path of ["/refresh", "/logout"]) {
      const result = await attack(context, attacker, CLIENT.baseUrl + path);
      assert.deepEqual(result, { read: "TypeError", fetched: rejection, posted: rejection });
    }
    assert.deepEqual(await refreshCookies(context, CLIENT.baseUrl), before);
    assert.equal(await loginAfterRefresh(page), user.login);
  });
}

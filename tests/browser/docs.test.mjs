// Tests Swagger UI at /docs in headless Chromium, against the real service in an empty folder.
// Swagger UI sends all requests; the test only clicks, types and reads the page. The service is
// behind a proxy that serves it below a path prefix.
//
// AUTHAPI_BINARY names the service's binary, SCREENSHOTS the folder for screenshots, and CHROMIUM
// the browser.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { chromiumOptions } from "./chromium.mjs";
import { startProxy } from "./proxy.mjs";
import { startService } from "./service.mjs";

const ACCOUNT = { login: "browser", password: "seven sober walruses 42" };
const PREFIX = "/auth";
// All other hosts that the browser may contact do not resolve.
const HOSTS = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1";

// Maximum size in bytes of everything that the page loads, compressed.
const PAGE_SIZE = 600_000;
const PHONE = { width: 375, height: 812 };
const DESKTOP = { width: 1280, height: 1000 };

let service;
let proxy;
let base; // URL of the service behind the proxy
let browser;
let page;
const trouble = [];
const requested = [];

before(async () => {
  service = await startService({ AUTHAPI_SERVER__TRUSTED_PROXIES: "127.0.0.1" });
  proxy = await startProxy({
    route: ({ url }) => url.startsWith(`${PREFIX}/`) && service.base + url.slice(PREFIX.length),
  });
  base = `http://127.0.0.1:${proxy.port}${PREFIX}`;
  // Playwright starts each browser with a new, empty profile.
  browser = await chromium.launch(chromiumOptions(HOSTS));
  page = await browser.newPage({ viewport: DESKTOP });
  page.setDefaultTimeout(15_000);
  await watch(page);
});

after(async () => {
  await browser?.close();
  await proxy?.stop();
  await service?.stop();
});

/** Records the page's errors, warnings, failed requests and CSP violations, and all requested URLs. */
async function watch(page) {
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) {
      trouble.push(`console ${message.type()}: ${message.text()} (${message.location().url})`);
    }
  });
  page.on("pageerror", (error) => trouble.push(`uncaught: ${error}`));
  page.on("request", (request) => requested.push(request.url()));
  page.on("requestfailed", (request) => trouble.push(`failed: ${request.url()} ${request.failure()?.errorText}`));
  page.on("response", (response) => {
    if (response.status() >= 400) trouble.push(`${response.status()}: ${response.url()}`);
  });
  await page.exposeFunction("reportViolation", (violation) => trouble.push(`CSP: ${violation}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      globalThis.reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`);
    });
  });
}

/** Returns the block of an endpoint. */
function blockOf(method, path) {
  return page.locator(`.opblock-${method}`, { has: page.locator(`[data-path="${path}"]`) });
}

/** Executes one endpoint with the body, if there is one, and returns the displayed status and body. */
async function execute(method, path, body) {
  const block = blockOf(method, path);
  if (!(await block.getAttribute("class")).includes("is-open")) {
    await block.locator(".opblock-summary-control").first().click();
  }
  // If trying out is enabled by default, this button is labelled "Cancel".
  const tryOut = block.locator(".try-out__btn");
  if ((await tryOut.innerText()).startsWith("Try it out")) await tryOut.click();
  if (body) await block.locator("textarea.body-param__text").fill(JSON.stringify(body));
  await block.getByRole("button", { name: "Execute", exact: true }).click();
  const answer = block.locator(".live-responses-table");
  const status = await answer.locator(".response-col_status").last().innerText();
  const text = await answer.locator(".highlight-code pre").first().innerText();
  await block.screenshot({ path: `${process.env.SCREENSHOTS}/${method}${path.replaceAll("/", "-")}.png` });
  return { status: Number.parseInt(status, 10), body: JSON.parse(text) };
}

/** Enters the token for a security scheme in the dialog. */
async function authorize(scheme, token) {
  await page.locator(".scheme-container button.authorize").click();
  const dialog = page.locator(".dialog-ux .modal-ux");
  const entry = dialog.locator(".auth-container", { hasText: scheme });
  await entry.locator("input").fill(token);
  await entry.getByRole("button", { name: "Apply credentials" }).click();
  await entry.getByRole("button", { name: "Remove authorization" }).waitFor();
  await page.screenshot({ path: `${process.env.SCREENSHOTS}/authorize.png` });
  await dialog.locator("button.btn-done").first().click();
}

/** Returns the button of an operation that shows whether it is authorized, and opens its dialog. */
function lockOf(method, path) {
  return blockOf(method, path).locator(".authorization__btn");
}

/** Returns the names of the schemes in the dialog that the button opens. */
async function offered(button) {
  await button.click();
  const dialog = page.locator(".dialog-ux .modal-ux");
  await dialog.waitFor();
  const names = await dialog.locator(".auth-container h4 code").allInnerTexts();
  await dialog.locator("button.close-modal").click();
  await dialog.waitFor({ state: "hidden" });
  return names.sort();
}

/** Opens the documentation in a window of its own, and returns the page. */
async function openIn(viewport, colorScheme) {
  const other = await browser.newPage({ viewport, colorScheme });
  await other.goto(`${base}/docs/`);
  await other.locator(".opblock").first().waitFor();
  return other;
}

/** Returns the lowest contrast (WCAG 2.2, 1.4.3) of the elements' text and the background behind it. */
function contrastOf(elements) {
  return elements.evaluateAll((all) => {
    const rgba = (color) => color.match(/[\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => {
      const [red, green, blue] = [r, g, b].map((value) => value / 255).map((value) =>
        value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4,
      );
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const backgroundOf = (element) => {
      if (!element) return [255, 255, 255];
      const [r, g, b, alpha = 1] = rgba(getComputedStyle(element).backgroundColor);
      if (alpha === 1) return [r, g, b];
      const below = backgroundOf(element.parentElement);
      return [r, g, b].map((value, index) => value * alpha + below[index] * (1 - alpha));
    };
    const contrasts = all.map((element) => {
      const lights = [rgba(getComputedStyle(element).color), backgroundOf(element)].map(luminance);
      return (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
    });
    return Math.min(...contrasts);
  });
}

/** Returns the least room in pixels that the selects have beside the text of their selected options. */
function roomOf(selects) {
  return selects.evaluateAll((all) => {
    const canvas = document.createElement("canvas").getContext("2d");
    const rooms = all.map((select) => {
      const { font, paddingLeft, paddingRight } = getComputedStyle(select);
      canvas.font = font;
      const { width } = canvas.measureText(select.selectedOptions[0].label);
      return select.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight) - Math.floor(width);
    });
    return Math.min(...rooms);
  });
}

test("a new user registers, logs in and reads their account through Swagger UI", async (t) => {
  let pair;

  await t.test("the root leads to the documentation, below the prefix", async () => {
    const answer = await page.goto(`${base}/`);
    assert.equal(answer.status(), 200);
    assert.equal(page.url(), `${base}/docs/`);
    const policy = answer.headers()["content-security-policy"] ?? "";
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    await page.locator(".opblock").first().waitFor();
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/docs.png`, fullPage: true });
  });

  await t.test("the page has its own title and icon", async () => {
    assert.equal(await page.title(), "authapi: API documentation");
    const icon = await page.locator('link[rel="icon"]').evaluate((link) => link.href);
    const answer = await fetch(icon);
    assert.equal(answer.headers.get("content-type"), "image/svg+xml");
  });

  await t.test("operations are in the order of their use", async () => {
    const paths = await page.locator(".opblock-summary-path").evaluateAll((all) => all.map((one) => one.dataset.path));
    assert.deepEqual(paths.slice(0, 5), ["/register", "/login", "/refresh", "/me", "/logout"]);
  });

  await t.test("POST /register creates the account", async () => {
    const { status, body } = await execute("post", "/register", ACCOUNT);
    assert.equal(status, 201);
    assert.equal(body.login, ACCOUNT.login);
  });

  await t.test("POST /login displays a token", async () => {
    const { status, body } = await execute("post", "/login", ACCOUNT);
    assert.equal(status, 200);
    assert.equal(body.token_type, "Bearer");
    pair = body;
  });

  await t.test("the examples of an error have its status and code", async () => {
    const row = blockOf("post", "/login").locator('.responses-table:not(.live-responses-table) tr[data-code="401"]');
    const example = JSON.parse(await row.locator(".highlight-code pre").first().innerText());
    assert.equal(example.status, 401);
    assert.equal(example.code, "invalid_credentials");
  });

  await t.test("the Authorize dialogs offer the tokens, but not the cookie, which no script can set", async () => {
    assert.deepEqual(await offered(page.locator(".scheme-container button.authorize")), ["accessToken", "refreshToken"]);
    assert.deepEqual(await offered(lockOf("post", "/logout")), ["accessToken", "refreshToken"]);
    assert.deepEqual(await offered(lockOf("post", "/refresh")), ["refreshToken"]);
  });

  await t.test("an operation is shown as authorized once its token was entered, and not before", async () => {
    const isLocked = async (path) => (await lockOf("post", path).getAttribute("aria-label")).endsWith(" locked");
    assert.deepEqual([await isLocked("/refresh"), await isLocked("/logout")], [false, false]);
    await authorize("accessToken", pair.access_token);
    assert.deepEqual([await isLocked("/refresh"), await isLocked("/logout")], [false, true]);
    await authorize("refreshToken", pair.refresh_token);
    assert.deepEqual([await isLocked("/refresh"), await isLocked("/logout")], [true, true]);
  });

  await t.test("GET /me returns the account", async () => {
    const { status, body } = await execute("get", "/me");
    assert.equal(status, 200);
    assert.equal(body.login, ACCOUNT.login);
  });

  await t.test("POST /refresh sends the refresh token", async () => {
    const { status, body } = await execute("post", "/refresh");
    assert.equal(status, 200);
    assert.notEqual(body.refresh_token, pair.refresh_token);
  });

  await t.test("the authorization survives a reload", async () => {
    await page.reload();
    await page.locator(".opblock").first().waitFor();
    const { status, body } = await execute("get", "/me");
    assert.equal(status, 200);
    assert.equal(body.login, ACCOUNT.login);
  });

  await t.test("the page fits a phone and follows the colour scheme", async () => {
    for (const [name, viewport] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
      for (const colorScheme of ["light", "dark"]) {
        const other = await openIn(viewport, colorScheme);
        for (const path of ["/register", "/refresh", "/users"]) {
          await other.locator(`[data-path="${path}"]`).first().click();
        }
        await other.locator(".responses-table").nth(2).waitFor();
        await other.screenshot({ path: `${process.env.SCREENSHOTS}/${name}-${colorScheme}.png` });
        const width = await other.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= viewport.width, `${name}: the page is ${width} px wide`);
        const isDark = await other.evaluate(() => document.documentElement.classList.contains("dark-mode"));
        assert.equal(isDark, colorScheme === "dark");
        await other.close();
      }
    }
  });

  await t.test("an optional body is empty until it is typed", async () => {
    const block = blockOf("put", "/users/{id}/password");
    await block.locator(".opblock-summary-control").first().click();
    assert.equal(await block.locator("textarea.body-param__text").inputValue(), "");
  });

  await t.test("nothing is cut off, and tables of headers are readable", async () => {
    for (const [name, viewport] of Object.entries({ phone: PHONE, desktop: DESKTOP })) {
      const other = await openIn(viewport, "dark");
      assert.equal(await other.locator(".servers option").innerText(), ". - This service");
      await other.locator('[data-path="/users"]').first().click();
      const users = other.locator(".opblock-get", { has: other.locator('[data-path="/users"]') });
      await users.getByRole("button", { name: "Execute", exact: true }).click();
      await users.locator(".live-responses-table .response-col_status").last().waitFor();
      await users.screenshot({ path: `${process.env.SCREENSHOTS}/${name}-dark-executed.png` });
      assert.ok((await contrastOf(users.locator("table.headers td"))) >= 4.5, `${name}: contrast`);
      const cut = await users.locator(".opblock-section-header").evaluateAll((all) =>
        all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.innerText),
      );
      assert.deepEqual(cut, [], name);
      assert.ok((await roomOf(users.locator(".response-controls select"))) >= 0, `${name}: selected examples`);
      const gaps = await users.locator("table.parameters tbody tr").evaluateAll((rows) =>
        rows.map((row) => {
          const type = document.createRange();
          type.selectNodeContents(row.querySelector(".parameter__type"));
          const input = row.querySelector("input, select").getBoundingClientRect();
          return input.left - type.getBoundingClientRect().right;
        }),
      );
      assert.ok(gaps.length > 0 && Math.min(...gaps) >= 8, `${name}: ${gaps}`);
      await other.locator(".scheme-container button.authorize").click();
      await other.locator(".dialog-ux .modal-ux").waitFor();
      await other.screenshot({ path: `${process.env.SCREENSHOTS}/${name}-dark-authorize.png` });
      await other.close();
    }
  });

  await t.test("files are compressed, and revalidated without a transfer", async () => {
    let size = 0;
    for (const file of ["docs/", "docs/swagger-ui-bundle.js", "docs/swagger-ui.css", "docs/docs.js", "openapi.json"]) {
      const headers = { "Accept-Encoding": "gzip" };
      const first = await fetch(`${base}/${file}`, { headers });
      assert.equal(first.headers.get("content-encoding"), "gzip", file);
      assert.match(first.headers.get("cache-control"), /no-cache/, file);
      size += Number(first.headers.get("content-length"));
      await first.arrayBuffer();
      const again = await fetch(`${base}/${file}`, {
        headers: { ...headers, "If-None-Match": first.headers.get("etag") },
      });
      assert.equal(again.status, 304, file);
    }
    assert.ok(size > 0 && size < PAGE_SIZE, `${size} bytes`);
  });

  await t.test("the page violated no CSP directive, logged no error and had no failed request", () => {
    assert.deepEqual(trouble, []);
  });

  await t.test("no request went beyond the loopback interface", () => {
    const outside = requested.filter((url) => !url.startsWith(`${base}/`) && !/^(data|blob):/.test(url));
    assert.deepEqual(outside, []);
    assert.ok(requested.length >= 5, `only ${requested.length} requests were seen`);
  });
});

// Tests Swagger UI at /docs in headless Chromium, against the real service in an empty folder.
// Swagger UI sends all requests; the test only clicks, types and reads the page.
//
// AUTHAPI_BINARY names the service's binary, SCREENSHOTS the folder for screenshots, and CHROMIUM
// the browser.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { startService } from "./service.mjs";

const ACCOUNT = { login: "browser", password: "seven sober walruses 42" };
const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // All other hosts that the browser may contact do not resolve.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

let service;
let browser;
let page;
const trouble = [];
const requested = [];

before(async () => {
  service = await startService();
  // Playwright starts each browser with a new, empty profile.
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: CHROMIUM_FLAGS,
  });
  page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
  page.setDefaultTimeout(15_000);
  await watch(page);
});

after(async () => {
  await browser?.close();
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

/** Executes one endpoint with the body, if there is one, and returns the displayed status and body. */
async function execute(method, path, body) {
  const block = page.locator(`.opblock-${method}`, { has: page.locator(`[data-path="${path}"]`) });
  await block.locator(".opblock-summary-control").first().click();
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

test("a new user registers, logs in and reads their account through Swagger UI", async (t) => {
  let token;

  await t.test("the documentation opens", async () => {
    const answer = await page.goto(`${service.base}/docs`);
    assert.equal(answer.status(), 200);
    assert.match(answer.headers()["content-security-policy"] ?? "", /default-src/);
    await page.locator(".opblock").first().waitFor();
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/docs.png`, fullPage: true });
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
    token = body.access_token;
  });

  await t.test("the Authorize dialog accepts the token", async () => {
    await page.locator(".scheme-container button.authorize").click();
    const dialog = page.locator(".dialog-ux .modal-ux");
    const entry = dialog.locator(".auth-container").first();
    await entry.locator("input").fill(token);
    await entry.getByRole("button", { name: "Apply credentials" }).click();
    await entry.getByRole("button", { name: "Remove authorization" }).waitFor();
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/authorize.png` });
    await dialog.locator("button.btn-done").first().click();
  });

  await t.test("GET /me returns the account", async () => {
    const { status, body } = await execute("get", "/me");
    assert.equal(status, 200);
    assert.equal(body.login, ACCOUNT.login);
  });

  await t.test("the page violated no CSP directive, logged no error and had no failed request", () => {
    assert.deepEqual(trouble, []);
  });

  await t.test("no request went beyond the loopback interface", () => {
    const outside = requested.filter((url) => !url.startsWith(`${service.base}/`) && !/^(data|blob):/.test(url));
    assert.deepEqual(outside, []);
    assert.ok(requested.length >= 5, `only ${requested.length} requests were seen`);
  });
});

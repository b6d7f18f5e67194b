// What the tests in Chromium do in its pages.

import { account } from "./accounts.mjs";

// A page of the example without scripts.
export const EMPTY = "/config.js";
const COOKIE = "__Secure-authapi-refresh";

/** Opens a new profile of the browser. */
export async function openProfile(t, browser, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(15_000);
  t.after(() => context.close());
  return context;
}

/**
 * Opens a tab on an empty page of the origin, with a client in `auth`. The tab's `refreshes` are its
 * requests to `POST /refresh`.
 */
export async function openTab(context, origin, { baseUrl, refresh }) {
  const page = await context.newPage();
  page.refreshes = [];
  page.on("request", (request) => {
    if (request.method() === "POST" && request.url() === `${baseUrl}/refresh`) page.refreshes.push(request);
  });
  await page.goto(`${origin}${EMPTY}`);
  await startClient(page, { baseUrl, refresh });
  return page;
}

/** Creates the client in `auth`, and `expire`, which moves the page's clock beyond the access token's lifetime. */
export async function startClient(page, options) {
  await page.evaluate(async (options) => {
    const { createClient } = await import("/authapi-client.js");
    globalThis.auth = createClient(options);
    const now = performance.now.bind(performance);
    let moved = 0;
    performance.now = () => now() + moved;
    globalThis.expire = () => (moved += 900_000);
  }, options);
}

/** Registers a user and logs in. */
export async function logIn(page) {
  const user = account();
  await page.evaluate(async (user) => {
    await auth.register(user);
    await auth.login(user);
  }, user);
  return user;
}

/** Returns the login of the tab's user. */
export const loginOf = (page) => page.evaluate(async () => (await auth.me()).login);

/** Lets the access token expire, and returns the login of the tab's user, which needs a refresh. */
export const loginAfterRefresh = (page) =>
  page.evaluate(async () => {
    expire();
    return (await auth.me()).login;
  });

/** Returns the status of the tab's session. */
export const statusOf = (page) => page.evaluate(() => auth.getSession().status);

/** Waits until the tab's session has the status. */
export const untilStatus = (page, status) => page.waitForFunction((status) => auth.getSession().status === status, status);

/** Returns the cookies that the browser sends to `POST /refresh` of the service. */
export async function refreshCookies(context, baseUrl) {
  return (await context.cookies(`${baseUrl}/refresh`)).filter(({ name }) => name === COOKIE);
}

/** Returns the value of the refresh token in `Cookie` or `Set-Cookie` headers. */
export function refreshTokenIn(headers) {
  return [headers].flat().join("; ").match(`${COOKIE}=([^;]*)`)?.[1];
}

/**
 * Calls the URL from a page of the origin, with cookies: by a fetch that asks to read the response,
 * by one that does not, and by a form. Returns what the page read, and the statuses of the latter
 * two.
 */
export async function attack(context, origin, url) {
  const page = await context.newPage();
  await page.goto(`${origin}${EMPTY}`);
  const read = await page.evaluate(
    (url) => fetch(url, { method: "POST", credentials: "include" }).then((response) => response.text(), (error) => error.name),
    url,
  );
  const [fetched] = await Promise.all([
    page.waitForResponse(url),
    page.evaluate((url) => fetch(url, { method: "POST", mode: "no-cors", credentials: "include" }).then(() => {}), url),
  ]);
  const [posted] = await Promise.all([
    page.waitForResponse(url),
    page.evaluate((url) => {
      const form = document.createElement("form");
      Object.assign(form, { method: "post", action: url });
      document.body.append(form);
      form.submit();
    }, url),
  ]);
  return { read, fetched: fetched.status(), posted: posted.status() };
}

// A page with a login: docs/browser.md explains it. serve.mjs provides the other two modules.

import { createClient } from "./authapi-client.js";
import { config } from "./config.js";

const auth = createClient(config);
const entry = document.querySelector("#entry");
const account = document.querySelector("#account");
const name = document.querySelector("#name");
const message = document.querySelector("#message");

/** Runs an action, and shows why it failed. */
async function attempt(action) {
  message.textContent = "";
  try {
    await action();
  } catch (error) {
    // The session changed meanwhile. The listener shows the new one.
    if (error.name === "AbortError") return;
    // Fields of a rejected form have an explanation each, such as that of a weak password.
    const fields = error.problem?.errors?.map((field) => `${field.field}: ${field.detail}`);
    const wait = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
    message.textContent = (fields?.join("; ") ?? error.message) + wait;
  }
}

/** Shows the session. It changes here, in other tabs, and when the service ends it. */
async function show() {
  const session = auth.getSession();
  entry.hidden = session.status !== "anonymous";
  account.hidden = session.status !== "authenticated";
  if (session.reason) message.textContent = `Please log in again (${session.reason}).`;
  name.textContent = "";
  if (session.status !== "authenticated") return;
  const me = await auth.me();
  if (auth.getSession() === session) name.textContent = me.login;
}

entry.addEventListener("submit", (event) => {
  event.preventDefault();
  const { login, password } = Object.fromEntries(new FormData(entry));
  attempt(async () => {
    if (event.submitter.value === "register") await auth.register({ login, password });
    await auth.login({ login, password });
    entry.reset();
  });
});

document.querySelector("#logout").addEventListener("click", () => attempt(() => auth.logout()));
document
  .querySelector("#everywhere")
  .addEventListener("click", () => attempt(() => auth.logout({ everywhere: true })));

auth.subscribe(() => attempt(show));
// After a reload, cookie mode continues the session.
attempt(async () => {
  await auth.restore().catch((error) => {
    // The service does not respond. A login shows whether it does again.
    entry.hidden = false;
    throw error;
  });
  await show();
});

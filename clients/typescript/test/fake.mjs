// A stand-in for the service: it records requests and answers them as a test says.

/** Where the clients of the tests believe the service is. */
export const BASE = "https://auth.example.com/v1";

/** Returns a response with a problem. */
export function problem(status, code, headers = {}) {
  const body = JSON.stringify({ type: `urn:authapi:problem:${code}`, title: "Title", status, detail: "detail", code });
  return new Response(body, { status, headers: { "Content-Type": "application/problem+json", ...headers } });
}

/** Returns a successful response. */
export function ok(body, headers = {}) {
  return new Response(JSON.stringify(body), { status: 200, headers });
}

/** Creates the stand-in. By default every call succeeds, and each refresh returns another pair. */
export function fakeService({ cookies = false, lifetime = 900 } = {}) {
  const requests = [];
  const answers = new Map();
  let issued = 0;

  function pair() {
    issued += 1;
    const refresh = cookies ? {} : { refresh_token: `refresh-${issued}` };
    return { access_token: `access-${issued}`, token_type: "Bearer", expires_in: lifetime, ...refresh };
  }

  const defaults = {
    "POST /login": () => ok(pair()),
    "POST /refresh": () => ok(pair()),
    "PUT /me/password": () => ok(pair()),
    "POST /logout": () => new Response(null, { status: 204 }),
    "GET /me": () => ok({ login: "alice" }),
  };

  async function send(input, init) {
    const request = new Request(input, init);
    const url = new URL(request.url);
    const path = url.pathname.replace("/v1", "");
    const sent = {
      call: `${request.method} ${path}`,
      query: url.search,
      bearer: request.headers.get("Authorization")?.replace("Bearer ", ""),
      headers: request.headers,
      credentials: request.credentials,
      body: await request.text(),
      signal: request.signal,
    };
    requests.push(sent);
    const answer = answers.get(sent.call) ?? defaults[sent.call] ?? (() => ok({}));
    const response = answer(sent);
    // As `fetch` does, an aborted request rejects even while the response is pending.
    return Promise.race([
      response,
      new Promise((_, reject) => {
        if (request.signal.aborted) reject(request.signal.reason);
        request.signal.addEventListener("abort", () => reject(request.signal.reason));
      }),
    ]);
  }

  return {
    send,
    requests,
    pair,
    /** Answers the call with the function from now on. */
    on: (call, answer) => answers.set(call, answer),
    /** The requests of one call. */
    of: (call) => requests.filter((request) => request.call === call),
  };
}

/** Returns an access token with these claims. Its signature is not valid. */
export function accessToken(claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ typ: "at+jwt", alg: "ES256" })}.${part(claims)}.c2lnbmF0dXJl`;
}

/** A promise with its functions. */
export function pending() {
  let settle;
  const promise = new Promise((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle };
}

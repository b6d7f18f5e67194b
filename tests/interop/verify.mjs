// Verifies one access token with jose. Reads the case as JSON from standard input, as run.py writes it, and prints
// one JSON line for each check: what was checked, whether it held, and why not.

import { deepEqual } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";

const given = JSON.parse(readFileSync(0, "utf8"));
const keys = createRemoteJWKSet(new URL(given.jwks));
const rules = {
  issuer: given.issuer,
  audience: given.audience,
  typ: "at+jwt",
  algorithms: [given.algorithm],
  requiredClaims: ["sub", "client_id", "iat", "exp", "jti", "sid", "roles"],
};

function say(what, held, why = "") {
  console.log(JSON.stringify({ what, held, why }));
}

async function accepts(what, check) {
  try {
    await check();
    say(what, true);
  } catch (error) {
    say(what, false, String(error));
  }
}

async function refuses(what, refusal, check) {
  try {
    await check();
    say(what, false, "it was accepted");
  } catch (error) {
    say(what, error instanceof refusal, String(error));
  }
}

await accepts("verifies the token and reads its claims", async () => {
  const { payload } = await jwtVerify(given.token, keys, rules);
  const said = Object.fromEntries(Object.keys(given.expected).map((name) => [name, payload[name]]));
  deepEqual(said, given.expected);
});
await refuses("refuses a tampered token", errors.JWSSignatureVerificationFailed, () =>
  jwtVerify(given.tampered, keys, rules),
);
await refuses("refuses it for another audience", errors.JWTClaimValidationFailed, () =>
  jwtVerify(given.token, keys, { ...rules, audience: "other" }),
);
await refuses("refuses it from another issuer", errors.JWTClaimValidationFailed, () =>
  jwtVerify(given.token, keys, { ...rules, issuer: "https://other.example" }),
);

// Verifies one access token with jose. Reads the case that run.py writes to standard input as JSON,
// and prints one JSON line for each check: its description, whether it passed, and the reason if
// not.

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

function report(what, held, why = "") {
  console.log(JSON.stringify({ what, held, why }));
}

async function accepts(what, check) {
  try {
    await check();
    report(what, true);
  } catch (error) {
    report(what, false, String(error));
  }
}

async function refuses(what, refusal, check) {
  try {
    await check();
    report(what, false, "it was accepted");
  } catch (error) {
    report(what, error instanceof refusal, String(error));
  }
}

await accepts("verifies the token and reads its claims", async () => {
  const { payload } = await jwtVerify(given.token, keys, rules);
  const actual = Object.fromEntries(Object.keys(given.expected).map((name) => [name, payload[name]]));
  deepEqual(actual, given.expected);
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

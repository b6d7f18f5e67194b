// Verifies an access token with a library for Node.js. Reads the case from standard input as JSON and
// prints the claims, or the library's error to standard error.

import { readFileSync } from "node:fs";
import { createRemoteJWKSet, jwtVerify } from "jose";
import jsonwebtoken from "jsonwebtoken";
import { JwksClient } from "jwks-rsa";

const required = ["sub", "client_id", "iat", "exp", "jti", "sid", "roles"];

const libraries = {
  async jose({ token, algorithm, jwks, issuer, audience }) {
    const keys = createRemoteJWKSet(new URL(jwks));
    const rules = { issuer, audience, typ: "at+jwt", algorithms: [algorithm], requiredClaims: required };
    return (await jwtVerify(token, keys, rules)).payload;
  },

  async jsonwebtoken({ token, algorithm, jwks, issuer, audience }) {
    const { header } = jsonwebtoken.decode(token, { complete: true });
    if (header.typ !== "at+jwt") throw new Error("typ is not at+jwt");
    const key = await new JwksClient({ jwksUri: jwks }).getSigningKey(header.kid);
    return jsonwebtoken.verify(token, key.getPublicKey(), { algorithms: [algorithm], issuer, audience });
  },
};

const given = JSON.parse(readFileSync(0, "utf8"));
try {
  console.log(JSON.stringify(await libraries[given.library](given)));
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
}

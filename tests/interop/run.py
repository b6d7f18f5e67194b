"""Checks which JWT libraries verify access tokens with only the URL of the JWKS.

Usage: run.py BINARY. For each signature algorithm, the script starts the service in an empty folder
with a key of that algorithm, registers a user, logs in, and passes the token to the libraries for
Python (libraries.py) and Node.js (verify.mjs). It exits with 0 if all checks passed.
"""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

from checks import Checks
from libraries import LIBRARIES
from service import call, service

ISSUER = "https://auth.example"
AUDIENCE = "interop"
ALGORITHMS = {"es256": "ES256", "eddsa": "EdDSA", "rs256": "RS256"}
ACCOUNT = {"login": "interop", "password": "seven sober walruses 42"}
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "k"}
IN_NODE = ["jose", "jsonwebtoken"]
# The combinations that docs/tokens.md lists as unsupported.
UNSUPPORTED = {("Authlib", "EdDSA"), ("python-jose", "EdDSA"), ("jsonwebtoken", "EdDSA")}
# The errors of libraries without support for an algorithm. Authlib gives no reason.
NO_ALGORITHM = "algorithm|key type|InvalidToken"


def tampered(token):
    """Returns the token with another role in its claims and the original signature."""
    header, claims, signature = token.split(".")
    payload = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    payload["roles"] = ["admin"]
    forged = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()
    return f"{header}.{forged}.{signature}"


def verify_in_node(library):
    """Returns a function that verifies a token with verify.mjs."""

    def verify(**case):
        given = json.dumps(case | {"library": library})
        script = Path(__file__).parent / "verify.mjs"
        ran = subprocess.run(["node", script], input=given, capture_output=True, text=True, timeout=60)
        if ran.returncode != 0:
            raise ValueError(ran.stderr.strip())
        return json.loads(ran.stdout)

    return verify


def check_library(checks, name, verify, case, expected):
    algorithm = case["algorithm"]
    what = f"{algorithm}: {name}"

    def claims_are_right():
        claims = verify(**case)
        actual = {name: claims[name] for name in expected}
        if actual != expected:
            raise AssertionError(f"{actual} instead of {expected}")

    if (name, algorithm) in UNSUPPORTED:
        checks.refuses(f"{what} does not verify the token, as docs/tokens.md says", NO_ALGORITHM, claims_are_right)
        return
    checks.accepts(f"{what} verifies the token and reads its claims", claims_are_right)
    for kind, reason, change in [
        ("a tampered token", "signature|InvalidToken", {"token": tampered(case["token"])}),
        ("it for another audience", "aud|InvalidToken", {"audience": "other"}),
        ("it from another issuer", "iss|InvalidToken", {"issuer": "https://other.example"}),
    ]:
        checks.refuses(f"{what} refuses {kind}", reason, lambda: verify(**(case | change)))


def check_jwks(checks, case):
    keys = call("GET", case["jwks"])["keys"]
    checks.note(len(keys) == 1 and keys[0]["alg"] == case["algorithm"], f"{case['algorithm']}: the JWKS contains the key")
    checks.note(not any(PRIVATE_MEMBERS & key.keys() for key in keys), f"{case['algorithm']}: the JWKS contains no private members")


def main():
    # The libraries must not use a configured proxy for the loopback interface.
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1"
    binary = Path(sys.argv[1]).resolve()
    libraries = LIBRARIES | {name: verify_in_node(name) for name in IN_NODE}
    checks = Checks()
    for option, algorithm in ALGORITHMS.items():
        settings = {"AUTHAPI_TOKENS__ISSUER": ISSUER, "AUTHAPI_TOKENS__AUDIENCE": AUDIENCE}
        with service(binary, option, settings) as running:
            base = running.base
            user = call("POST", f"{base}/register", ACCOUNT)
            token = call("POST", f"{base}/login", ACCOUNT)["access_token"]
            session = call("GET", f"{base}/me", bearer=token)["session"]
            expected = {"sub": user["id"], "roles": user["roles"], "sid": session["id"]}
            case = {
                "algorithm": algorithm,
                "token": token,
                "jwks": f"{base}/.well-known/jwks.json",
                "issuer": ISSUER,
                "audience": AUDIENCE,
            }
            check_jwks(checks, case)
            for name, verify in libraries.items():
                check_library(checks, name, verify, case, expected)
    print(f"{checks.passed} passed, {checks.failed} failed")
    sys.exit(1 if checks.failed else 0)


main()

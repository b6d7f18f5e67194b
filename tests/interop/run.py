"""Checks that other JWT libraries verify access tokens with only the URL of the JWKS.

Usage: run.py BINARY. For each signature algorithm, the script starts the service in an empty folder
with a key of that algorithm, registers a user, logs in, and passes the token to PyJWT (here) and
jose (verify.mjs). It exits with 0 if all checks passed.
"""

import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import jwt

ALGORITHMS = {"es256": "ES256", "eddsa": "EdDSA", "rs256": "RS256"}
ISSUER = "https://auth.example"
AUDIENCE = "interop"
ACCOUNT = {"login": "interop", "password": "seven sober walruses 42"}
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "k"}
READY_WITHIN = 30  # seconds
STOPPED_WITHIN = 15  # seconds
LOG_LINES = 60  # of a service that failed


class Checks:
    """Counts passed and failed checks, and prints a line for each."""

    def __init__(self):
        self.passed = self.failed = 0

    def note(self, held, what, why=""):
        self.passed += held
        self.failed += not held
        print(f"{'ok  ' if held else 'FAIL'} {what}{': ' + why if why and not held else ''}", flush=True)

    def accepts(self, what, check):
        """Passes if `check` does not raise."""
        try:
            check()
            self.note(True, what)
        except Exception as error:  # any exception of a library is a failed check, not a crash
            self.note(False, what, f"{type(error).__name__}: {error}")

    def refuses(self, what, refusal, check):
        """Passes if `check` raises `refusal`."""
        try:
            check()
            self.note(False, what, "it was accepted")
        except refusal:
            self.note(True, what)
        except Exception as error:
            self.note(False, what, f"{type(error).__name__}: {error}")


def call(method, url, body=None, bearer=None):
    headers = {"Content-Type": "application/json"} if body else {}
    if bearer:
        headers["Authorization"] = f"Bearer {bearer}"
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def settings(folder, port):
    """Returns the environment of the service, without inherited AUTHAPI_ variables."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUTHAPI_")}
    return inherited | {
        # Backtraces would hide the error in the printed log.
        "RUST_BACKTRACE": "0",
        "AUTHAPI_SERVER__HOST": "127.0.0.1",
        "AUTHAPI_SERVER__PORT": str(port),
        "AUTHAPI_DATABASE__URL": f"sqlite://{folder}/authapi.db",
        "AUTHAPI_KEYS__DIR": f"{folder}/keys",
        "AUTHAPI_TOKENS__ISSUER": ISSUER,
        "AUTHAPI_TOKENS__AUDIENCE": AUDIENCE,
    }


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(server, base):
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the service ended with status {server.returncode}")
        try:
            call("GET", f"{base}/health/ready")
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise RuntimeError(f"the service was not ready within {READY_WITHIN} s")


@contextmanager
def service(binary, algorithm):
    """Runs the service in an empty folder with one key of the algorithm, and yields its base URL."""
    with tempfile.TemporaryDirectory(prefix="authapi-interop-") as folder, open(f"{folder}/log", "w+") as log:
        port = free_port()
        options = {"cwd": folder, "env": settings(folder, port), "stdin": subprocess.DEVNULL, "stderr": log}
        subprocess.run([binary, "keys", "generate", "--algorithm", algorithm], check=True, stdout=log, **options)
        server = subprocess.Popen([binary, "serve"], stdout=log, **options)
        try:
            wait_until_ready(server, f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        except Exception:
            log.seek(0)
            print("".join(log.readlines()[-LOG_LINES:]), file=sys.stderr)
            raise
        finally:
            server.terminate()
            try:
                server.wait(STOPPED_WITHIN)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def tampered(token):
    """Returns the token with another role in its claims and the original signature."""
    header, claims, signature = token.split(".")
    payload = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    payload["roles"] = ["admin"]
    forged = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()
    return f"{header}.{forged}.{signature}"


def check_with_pyjwt(checks, case):
    algorithm, token = case["algorithm"], case["token"]

    def verify(token, audience=AUDIENCE, issuer=ISSUER):
        key = jwt.PyJWKClient(case["jwks"]).get_signing_key_from_jwt(token)
        required = ["iss", "aud", "sub", "client_id", "iat", "exp", "jti", "sid", "roles"]
        return jwt.decode(
            token, key, algorithms=[algorithm], audience=audience, issuer=issuer, options={"require": required}
        )

    def claims_are_right():
        claims = verify(token)
        actual = {name: claims[name] for name in case["expected"]}
        if actual != case["expected"]:
            raise AssertionError(f"{actual} instead of {case['expected']}")
        if jwt.get_unverified_header(token)["typ"] != "at+jwt":
            raise AssertionError("typ is not at+jwt")

    name = f"{algorithm}: PyJWT"
    checks.accepts(f"{name} verifies the token and reads its claims", claims_are_right)
    checks.refuses(f"{name} refuses a tampered token", jwt.InvalidSignatureError, lambda: verify(tampered(token)))
    checks.refuses(
        f"{name} refuses it for another audience", jwt.InvalidAudienceError, lambda: verify(token, audience="other")
    )
    checks.refuses(
        f"{name} refuses it from another issuer", jwt.InvalidIssuerError, lambda: verify(token, issuer="https://other.example")
    )


def check_with_jose(checks, case):
    """Runs verify.mjs, which reads the case and prints one JSON line for each check."""
    script = Path(__file__).parent / "verify.mjs"
    given = json.dumps(case | {"tampered": tampered(case["token"])})
    ran = subprocess.run(["node", script], input=given, stdout=subprocess.PIPE, text=True, timeout=60)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    for line in lines:
        checks.note(line["held"], f"{case['algorithm']}: jose {line['what']}", line["why"])
    if ran.returncode != 0 or len(lines) != 4:
        checks.note(False, f"{case['algorithm']}: jose ran all its checks", f"{len(lines)} of 4")


def check_jwks(checks, case):
    keys = call("GET", case["jwks"])["keys"]
    checks.note(len(keys) == 1 and keys[0]["alg"] == case["algorithm"], f"{case['algorithm']}: the JWKS contains the key")
    checks.note(not any(PRIVATE_MEMBERS & key.keys() for key in keys), f"{case['algorithm']}: the JWKS contains no private members")


def main():
    # The libraries must not use a configured proxy for the loopback interface.
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1"
    binary = Path(sys.argv[1]).resolve()
    checks = Checks()
    for option, algorithm in ALGORITHMS.items():
        with service(binary, option) as base:
            user = call("POST", f"{base}/register", ACCOUNT)
            token = call("POST", f"{base}/login", ACCOUNT)["access_token"]
            session = call("GET", f"{base}/me", bearer=token)["session"]
            case = {
                "algorithm": algorithm,
                "token": token,
                "jwks": f"{base}/.well-known/jwks.json",
                "issuer": ISSUER,
                "audience": AUDIENCE,
                "expected": {"sub": user["id"], "roles": user["roles"], "sid": session["id"]},
            }
            check_jwks(checks, case)
            check_with_pyjwt(checks, case)
            check_with_jose(checks, case)
    print(f"{checks.passed} passed, {checks.failed} failed")
    sys.exit(1 if checks.failed else 0)


main()

"""Calls the service with generated requests and compares its answers with its OpenAPI document.

Usage: run.py BINARY SCHEMATHESIS. The script starts the service in an empty folder with cheap
hashing and lets Schemathesis generate requests, first as a user and then as an administrator. It
exits with 0 if Schemathesis finds nothing but what accepted.json lists with a reason.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from service import service

HERE = Path(__file__).resolve().parent
ACCEPTED = HERE / "accepted.json"
SEED = "20261128"
# Maximum number of generated requests of each kind for an operation.
EXAMPLES = "60"
LIMIT = 240  # seconds for one role
SETTINGS = {
    "AUTHAPI_PASSWORD__ADMIN_CHOSEN": "true",
    "AUTHAPI_PASSWORD__ALLOW_WEAK_HASHING": "true",
    "AUTHAPI_PASSWORD__MEMORY_KIB": "64",
    "AUTHAPI_PASSWORD__ITERATIONS": "1",
    "AUTHAPI_THROTTLE__ENABLED": "false",
    "AUTHAPI_LOG__LEVEL": "warn",
}


def check_reasons():
    """Each accepted finding must have a reason."""
    accepted = json.loads(ACCEPTED.read_text(encoding="utf-8"))["entries"]
    without = [entry["operation"] for entry in accepted if not entry.get("reason", "").strip()]
    if without:
        sys.exit(f"{ACCEPTED}: no reason for the accepted findings of {', '.join(without)}")


def run(schemathesis, running, role, more):
    """Runs Schemathesis with the role and returns whether it found nothing new."""
    environment = running.environment | {
        "SCHEMATHESIS_HOOKS": "authentication",
        "TEST_API_BASE": running.base,
        "TEST_API_BINARY": str(running.binary),
        "TEST_API_FOLDER": running.folder,
        "TEST_API_ROLE": role,
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": f"{HERE}:{HERE.parent / 'common'}",
    }
    options = ["--checks", "all", "--seed", SEED, "--max-examples", EXAMPLES, "--generation-database", "none"]
    options += ["--continue-on-failure", "--baseline", str(ACCEPTED), "--no-color", *more]
    command = [schemathesis, "run", f"{running.base}/openapi.json", *options]
    ran = subprocess.run(command, cwd=running.folder, env=environment, timeout=LIMIT)
    return ran.returncode == 0


def main():
    binary, schemathesis, *more = sys.argv[1:]
    check_reasons()
    passed = failed = 0
    for role in ["user", "admin"]:
        started = time.monotonic()
        with service(Path(binary).resolve(), settings=SETTINGS) as running:
            running.command("users", "create", "--login", "root", "--role", "admin", given="seven sober walruses 42\n")
            found_nothing = run(str(Path(schemathesis).absolute()), running, role, more)
        passed += found_nothing
        failed += not found_nothing
        print(f"{'ok  ' if found_nothing else 'FAIL'} requests as {role}, {time.monotonic() - started:.0f} s", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()

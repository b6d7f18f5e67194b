"""Runs the service for the checks, and calls its API."""

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

ISSUER = "https://auth.example"
AUDIENCE = "interop"
READY_WITHIN = 30  # seconds
STOPPED_WITHIN = 15  # seconds
LOG_LINES = 60  # of a service that failed


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

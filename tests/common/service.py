"""Runs the service for a test, and calls its API."""

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
from dataclasses import dataclass
from pathlib import Path

# A folder in memory, if there is one: thousands of requests would wait for a busy disk.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
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


def environment(folder, port, settings):
    """Returns the environment of the service, without inherited AUTHAPI_ variables."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUTHAPI_")}
    return inherited | {
        # Backtraces would hide the error in the printed log.
        "RUST_BACKTRACE": "0",
        "AUTHAPI_SERVER__HOST": "127.0.0.1",
        "AUTHAPI_SERVER__PORT": str(port),
        "AUTHAPI_DATABASE__URL": f"sqlite://{folder}/authapi.db",
        "AUTHAPI_KEYS__DIR": f"{folder}/keys",
    } | settings


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


@dataclass
class Service:
    base: str
    binary: Path
    folder: str
    environment: dict[str, str]

    def command(self, *arguments, given=""):
        """Runs a command of the service's binary; `given` is its standard input."""
        options = {"cwd": self.folder, "env": self.environment, "stdout": subprocess.DEVNULL}
        subprocess.run([self.binary, *arguments], input=given, text=True, check=True, **options)


@contextmanager
def service(binary, algorithm="es256", settings=None, parent=MEMORY):
    """Runs the service in an empty folder in `parent` with one key of the algorithm, and yields it."""
    with tempfile.TemporaryDirectory(prefix="authapi-test-", dir=parent) as folder, open(f"{folder}/log", "w+") as log:
        port = free_port()
        running = Service(f"http://127.0.0.1:{port}", binary, folder, environment(folder, port, settings or {}))
        running.command("keys", "generate", "--algorithm", algorithm)
        options = {"cwd": folder, "env": running.environment, "stdin": subprocess.DEVNULL}
        server = subprocess.Popen([binary, "serve"], stdout=log, stderr=log, **options)
        try:
            wait_until_ready(server, running.base)
            yield running
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

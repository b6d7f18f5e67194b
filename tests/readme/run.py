"""Runs the commands of the README's walk-through and compares their output with the README.

Usage: run.py BINARY README. The script starts the service in an empty folder.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from walk import differences

READY_WITHIN = 30  # seconds


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(base, service):
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline:
        assert service.poll() is None, "the service ended early"
        try:
            with urllib.request.urlopen(f"{base}/health/ready", timeout=1) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"the service was not ready within {READY_WITHIN} s")


def main(binary, readme):
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUTHAPI_")}
        service = subprocess.Popen(
            [os.path.abspath(binary)],
            cwd=folder,
            env=inherited | {"AUTHAPI_SERVER__PORT": str(port), "AUTHAPI_LOG__LEVEL": "error"},
            stdin=subprocess.DEVNULL,
        )
        try:
            wait_until_ready(base, service)
            failed = differences(readme, base)
        finally:
            service.terminate()
            service.wait(timeout=15)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

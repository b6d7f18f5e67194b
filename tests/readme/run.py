"""Runs the commands of the README's walk-through and compares their output with the README.

Usage: run.py BINARY README. The script starts the service in an empty folder. A line that begins
with `#>` is an expected line of output, in which `...` stands for any text.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

READY_WITHIN = 30  # seconds
WALK_WITHIN = 60  # seconds


def walk_in(readme):
    """Returns the only shell block of the walk-through."""
    with open(readme, encoding="utf-8") as file:
        section = file.read().split("## Walkthrough", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, f"expected one shell block, found {len(blocks)}"
    return blocks[0]


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


def matches(shown, printed):
    pattern = ".*".join(re.escape(part) for part in shown.split("..."))
    return re.fullmatch(pattern, printed) is not None


def paste(walk, base):
    script = walk.replace("http://127.0.0.1:8000", base)
    assert base in script, "the walk-through does not use the default address"
    done = subprocess.run(
        ["bash"], input=script, capture_output=True, text=True, timeout=WALK_WITHIN, check=True
    )
    return done.stdout.splitlines()


def main(binary, readme):
    walk = walk_in(readme)
    shown = [line.removeprefix("#> ") for line in walk.splitlines() if line.startswith("#> ")]
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
            printed = paste(walk, base)
        finally:
            service.terminate()
            service.wait(timeout=15)
    failed = 0
    for index in range(max(len(shown), len(printed))):
        expected = shown[index] if index < len(shown) else "(nothing)"
        found = printed[index] if index < len(printed) else "(nothing)"
        if not matches(expected, found):
            failed += 1
            print(f"expected: {expected}\nprinted:  {found}\n")
    print(f"{len(shown) - failed} passed, {failed} failed")
    return 1 if failed or not shown else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

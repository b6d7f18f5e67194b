"""Tests docker/haproxy/haproxy.cfg with HAProxy itself, in front of three processes on the loopback.

Usage: run.py HAPROXY CONFIGURATION. The first process is paused or fails requests; the others
respond. The test changes only addresses, and the interval of health checks, so that the first
process stays in rotation. Once resumed, a paused process logs the requests that reached it.
"""

import http.client
import json
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

START_WITHIN = 30  # seconds
RESPOND_WITHIN = 60  # seconds, more than all retries of the proxy take
AT_ONCE = 9
# Fewer open files than the connections that the configuration allows for.
OPEN_FILES = 1024

failed = []


def check(holds, what):
    print(f"{'ok  ' if holds else 'FAIL'} {what}")
    if not holds:
        failed.append(what)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def adapted(configuration, ports):
    """Returns the configuration with the addresses of this test: of the proxy, then of the replicas."""
    proxy, *replicas = ports
    changes = [
        (r"bind :8000", f"bind 127.0.0.1:{proxy}", 1),
        (r"127\.0\.0\.1:8404", f"127.0.0.1:{free_port()}", 1),
        (r"inter 1s", "inter 1h", 1),
        *((rf"api-{number}:8000", f"127.0.0.1:{port}", 2) for number, port in enumerate(replicas, 1)),
    ]
    for pattern, replacement, expected in changes:
        configuration, count = re.subn(pattern, replacement, configuration)
        assert count == expected, f"{pattern} occurs {count} times in the configuration, not {expected} times"
    return configuration


def limit_open_files():
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))


def wait_for(port, process):
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline:
        assert process.poll() is None, f"{process.args} ended with {process.returncode}"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"{process.args} did not listen within {START_WITHIN} s")


class Stage:
    """The proxy and three replicas, of which the first fails requests for /drop and /late."""

    def __init__(self, haproxy, configuration, folder):
        self.ports = [free_port() for _ in range(4)]
        self.logs = [folder / f"replica-{number}" for number in (1, 2, 3)]
        self.replicas = []
        adapted_file = folder / "haproxy.cfg"
        adapted_file.write_text(adapted(Path(configuration).read_text(encoding="utf-8"), self.ports))
        with ExitStack() as stack:
            for port, log, options in zip(self.ports[1:], self.logs, [["--fails"], [], []]):
                replica = Path(__file__).with_name("replica.py")
                process = subprocess.Popen([sys.executable, replica, str(port), log, *options])
                stack.callback(end, process)
                self.replicas.append(process)
                wait_for(port, process)
            self.output = stack.enter_context((folder / "proxy").open("w"))
            proxy = subprocess.Popen(
                [haproxy, "-db", "-f", adapted_file],
                stdout=self.output, stderr=self.output, preexec_fn=limit_open_files,
            )
            stack.callback(end, proxy)
            wait_for(self.ports[0], proxy)
            self.stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def send(self, method, path):
        """Returns the response with its body as `text`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[0], timeout=RESPOND_WITHIN)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            response.text = response.read().decode()
            return response
        finally:
            connection.close()

    def send_many(self, *requests):
        """Sends requests with different queries at the same time, and returns the responses."""
        numbered = [(method, f"{path}?{number}") for number in range(AT_ONCE) for method, path in requests]
        with ThreadPoolExecutor(len(numbered)) as pool:
            return list(pool.map(lambda request: self.send(*request), numbered))

    def received(self, requests):
        """Returns how often each of the numbered requests has reached a replica so far."""
        wanted = {f"{method} {path}" for method, path in requests}
        lines = [line for log in self.logs for line in log.read_text().splitlines()]
        return Counter(line for line in lines if line.split("?")[0] in wanted)


def end(process):
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def is_unavailable(response):
    if response.status != 503 or response.headers["Content-Type"] != "application/problem+json":
        return False
    return json.loads(response.text)["code"] == "unavailable" and response.headers["Retry-After"] == "1"


def repeated(stage, method, path, how):
    """Checks that the other replicas respond for the one that does not."""
    statuses = Counter(response.status for response in stage.send_many((method, path)))
    check(statuses == {200: AT_ONCE}, f"{method} {path} is repeated on another replica: {how} ({dict(statuses)})")


def not_repeated(stage, requests, how, then=lambda: None):
    """Checks that the requests to the replica that does not respond get a 503 and are not repeated."""
    responses = stage.send_many(*requests)
    then()
    lost = [response for response in responses if response.status != 200]
    names = ", ".join(f"{method} {path}" for method, path in requests)
    right = 0 < len(lost) < len(responses) and all(map(is_unavailable, lost))
    check(right, f"{names}: the others respond, and {len(lost)} of {len(responses)} get a 503: {how}")
    each = wait_for_requests(stage, requests, len(responses))
    right = len(each) == len(responses) and set(each.values()) == {1}
    check(right, f"{names}: {len(responses)} requests reached a replica {each.total()} times")


def wait_for_requests(stage, requests, expected):
    """Waits for the requests that a resumed replica still has to read, and returns the counts."""
    deadline = time.monotonic() + START_WITHIN
    while len(each := stage.received(requests)) < expected and time.monotonic() < deadline:
        time.sleep(0.05)
    return each


def dropped_connection(stage):
    repeated(stage, "GET", "/drop", "one closes the connection")
    not_repeated(stage, [("POST", "/drop")], "one closes the connection")
    repeated(stage, "GET", "/late", "one responds with 408")


def paused_replica(stage):
    stage.replicas[0].send_signal(signal.SIGSTOP)
    for method, path in [("GET", "/me"), ("HEAD", "/me"), ("POST", "/refresh")]:
        repeated(stage, method, path, "one is paused")
    changes = [("POST", "/login"), ("POST", "/logout"), ("PUT", "/me/password"), ("DELETE", "/me")]
    not_repeated(stage, changes, "one is paused", lambda: stage.replicas[0].send_signal(signal.SIGCONT))


def no_replica(stage):
    for replica in stage.replicas:
        end(replica)
    check(is_unavailable(stage.send("GET", "/me")), "GET /me gets a 503: no replica is left")


def main(haproxy, configuration):
    with tempfile.TemporaryDirectory() as folder, Stage(haproxy, configuration, Path(folder)) as stage:
        print(f"ok   the proxy starts with {OPEN_FILES} open files")
        dropped_connection(stage)
        paused_replica(stage)
        no_replica(stage)
        if failed:
            print((Path(folder) / "proxy").read_text())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

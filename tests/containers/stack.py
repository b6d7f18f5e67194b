"""One compose file, run as a project of its own, which is removed with its volumes at the end."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PREPARE_WITHIN = 3600  # seconds
START_WITHIN = 240
COMMAND_WITHIN = 60
POLL_EVERY = 0.5
# Fewer open files than all connections need, as in an engine with a low hard limit.
OPEN_FILES = 2048
# A network that the compose file does not use by default.
EDGE_SUBNET = "10.251.252.0/24"
# The state, health and exit code of a service, and of one that ends by itself.
HEALTHY = {("running", "healthy", 0), ("exited", "", 0)}
# Images of tests/containers/stand-ins, by the name of the image that they replace.
STAND_INS = {name: f"authapi-test/{name}" for name in ("postgres", "redis", "haproxy")}


def engine(*arguments, timeout=COMMAND_WITHIN, text="", **options):
    """Runs docker with `text` as its input, and returns its output."""
    done = subprocess.run(["docker", *arguments], input=text, capture_output=True, text=True, timeout=timeout, **options)
    if done.returncode != 0:
        raise RuntimeError(f"docker {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Stack:
    """The services of a compose file. The limits of attempts are off, so that a test can log in often."""

    def __init__(self, file, folder, stand_ins):
        self.file, self.stand_ins = REPOSITORY / "docker" / file, stand_ins
        self.project = f"authapi-test-{self.file.stem.replace('.', '-')}"
        port = free_port()
        self.base = f"http://127.0.0.1:{port}"
        prefix = "authapi-test/{}" if stand_ins else "authapi-{}:test"
        self.environment = os.environ | {
            "PUBLISHED_ADDRESS": "127.0.0.1", "PUBLISHED_PORT": str(port), "ISSUER": self.base,
            "EDGE_SUBNET": EDGE_SUBNET, "LOG_LEVEL": "warn", "DATABASE_HOST": "postgres",
            "AUTHAPI_IMAGE": prefix.format("service"), "AUTHAPI_INIT_IMAGE": prefix.format("init"),
        }
        self.files = ["-f", self.file]
        override = Path(folder) / f"{self.project}.json"
        override.write_text(json.dumps({"services": dict(self.overrides())}))
        self.files += ["-f", override]

    def overrides(self):
        """Yields what this test changes in each service."""
        services = json.loads(self.compose("config", "--format", "json"))["services"]
        for name, service in services.items():
            changes = {}
            replaced = STAND_INS.get(service["image"].split(":")[0])
            if self.stand_ins and replaced:
                changes["image"] = replaced
            if name.startswith("api"):
                changes["environment"] = {"AUTHAPI_THROTTLE__ENABLED": "false"}
            if name.startswith("api") or name == "proxy":
                changes["ulimits"] = {"nofile": OPEN_FILES}
            yield name, changes

    def compose(self, *arguments, **options):
        command = ["compose", "-p", self.project, *map(str, self.files), *arguments]
        return engine(*command, env=self.environment, **options)

    def prepare(self):
        """Builds and fetches the images."""
        if not self.stand_ins:
            self.compose("build", timeout=PREPARE_WITHIN)
            self.compose("pull", "--ignore-buildable", timeout=PREPARE_WITHIN)

    def __enter__(self):
        try:
            # The volumes of an interrupted run.
            self.remove()
            self.compose("up", "-d", "--no-build", "--pull", "never", timeout=START_WITHIN)
            self.wait_until_healthy()
            return self
        except BaseException:
            self.__exit__(RuntimeError)
            raise

    def __exit__(self, kind, *_):
        try:
            if kind is not None:
                print(self.compose("logs", "--no-color", "--tail", "20"))
        finally:
            self.remove()

    def remove(self):
        self.compose("--profile", "tools", "down", "-v", "--timeout", "15", timeout=2 * COMMAND_WITHIN)

    def states(self):
        """Returns the state of each service: (state, health, exit code)."""
        lines = self.compose("ps", "--all", "--format", "json").splitlines()
        found = [service for line in lines for service in as_list(json.loads(line))]
        return {s["Service"]: (s["State"], s["Health"], s["ExitCode"]) for s in found}

    def wait_until_healthy(self):
        """Waits until every service is healthy or has ended successfully, and the API is ready."""
        deadline = time.monotonic() + START_WITHIN
        while True:
            states = self.states()
            bad = {name: state for name, state in states.items() if state not in HEALTHY}
            if states and not bad and is_ready(self.base):
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.project} is not healthy after {START_WITHIN} s: {bad or 'the API is not ready'}")
            time.sleep(POLL_EVERY)

    def container(self, service):
        return self.compose("ps", "--all", "--quiet", service).strip()


def as_list(value):
    return value if isinstance(value, list) else [value]


def is_ready(base):
    try:
        with urllib.request.urlopen(f"{base}/health/ready", timeout=5) as answer:
            return json.load(answer)["status"] == "ready"
    except (urllib.error.URLError, OSError, ValueError):
        return False

"""Compares the speed of two builds of the service, side by side.

Usage: compare.py OLD NEW [--work refresh] [--postgres URL] [--pairs 16] [--old-lacks SETTING]

Both builds run for the whole comparison, on SQLite files, or on empty databases that the script
creates on the Postgres server at URL. wrk loads them in turns with the scripts of `make bench`, so
that a machine that changes its speed for seconds at a time slows both alike. For each kind of work
the script prints the median of the ratios of all pairs, with quartiles. A setting that the older
build does not know is named by --old-lacks.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "common"))

from service import call, service  # noqa: E402

SCRIPTS = TESTS.parent / "tools/bench/src/lua"
PASSWORD = "bench-Quartz-lantern-58"
CONNECTIONS = 64
SESSIONS = 2 * CONNECTIONS
# The thread count of each kind of work: mixed work keeps state for each connection.
THREADS = {"me": 2, "login": 2, "register": 2, "refresh": 2, "life": CONNECTIONS}
SETTINGS = {
    "AUTHAPI_LOG__LEVEL": "info",
    "AUTHAPI_SERVER__MAX_CONNECTIONS_PER_ADDRESS": "20000",
    "AUTHAPI_TOKENS__MAX_SESSIONS_PER_USER": "1000",
    "AUTHAPI_THROTTLE__CLIENT_BURST": "1000",
    "AUTHAPI_THROTTLE__CLIENT_PER_MINUTE": "1000000",
    "AUTHAPI_THROTTLE__ACCOUNT_BURST": "1000",
    "AUTHAPI_THROTTLE__ACCOUNT_PER_HOUR": "1000000",
    "AUTHAPI_THROTTLE__FAILURES_BURST": "1000",
    "AUTHAPI_THROTTLE__FAILURES_PER_HOUR": "1000000",
    "AUTHAPI_THROTTLE__SERVICE_BURST": "1000000",
    "AUTHAPI_THROTTLE__SERVICE_PER_MINUTE": "1000000",
}


def arguments():
    parser = argparse.ArgumentParser(description="Compares the speed of two builds of the service.")
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--work", nargs="+", choices=sorted(THREADS), default=["refresh"])
    parser.add_argument("--postgres", metavar="URL", help="a server, without a database: postgres://user@host:port")
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--old-lacks", nargs="*", default=[], metavar="SETTING")
    return parser.parse_args()


def empty_database(server, name):
    """Creates a database and returns its URL."""
    for statement in [f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}"]:
        subprocess.run(["psql", "-qX", f"{server}/postgres", "-c", statement], check=True)
    return f"{server}/{name}"


class Side:
    """A running build with its users and sessions."""

    def __init__(self, running):
        self.running = running
        self.folder = tempfile.mkdtemp(dir=running.folder)
        # Each thread of mixed work has a user.
        self.logins = [f"user{number}" for number in range(CONNECTIONS)]
        self.turn = 0
        for login in self.logins:
            call("POST", f"{running.base}/register", {"login": login, "password": PASSWORD})

    def log_in(self, count):
        """Opens `count` sessions and returns their tokens."""
        url = f"{self.running.base}/login"
        logins = (self.logins[number % len(self.logins)] for number in range(count))
        return [call("POST", url, {"login": login, "password": PASSWORD}) for login in logins]

    def lines(self, work):
        """Returns the input of the script of `work`: logins or tokens."""
        if work in ("me", "refresh"):
            name = "access_token" if work == "me" else "refresh_token"
            return [tokens[name] for tokens in self.log_in(SESSIONS if work == "refresh" else CONNECTIONS)]
        return self.logins

    def rate(self, work, lines, seconds):
        """Loads the service for some seconds. Returns the requests per second, all successful."""
        self.turn += 1
        address = urlsplit(self.running.base)
        source, script = Path(self.folder, "input"), Path(self.folder, "load.lua")
        source.write_text("\n".join(lines))
        threads = THREADS[work]
        head = (
            f"input='{source}' replicas={{{{host='{address.hostname}',port='{address.port}'}}}} threads={threads} "
            f"connections={CONNECTIONS // threads} password='{PASSWORD}' tag='t{self.turn}'\n"
        )
        script.write_text(head + (SCRIPTS / "common.lua").read_text() + (SCRIPTS / f"{work}.lua").read_text())
        wrk = ["wrk", f"-t{threads}", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s", "-s", script]
        run = subprocess.run([*wrk, self.running.base], check=True, capture_output=True, text=True)
        report = json.loads(run.stdout.splitlines()[-1])
        if any(report["errors"].values()):
            sys.exit(f"{work}: requests failed: {report}")
        return report["requests"] / report["seconds"]


def compare(sides, work, asked):
    """Returns the ratios of new to old, one for each pair of bursts."""
    ratios = []
    lasting = None if work == "refresh" else [side.lines(work) for side in sides]
    for pair in range(asked.pairs):
        # A refresh token is used once, so each burst has new sessions.
        lines = lasting or [side.lines(work) for side in sides]
        order = [0, 1] if pair % 2 == 0 else [1, 0]
        rates = {number: sides[number].rate(work, lines[number], asked.seconds) for number in order}
        ratios.append(rates[1] / rates[0])
    return ratios


def main():
    asked = arguments()
    with ExitStack() as stack:
        sides = []
        for name, binary in [("old", asked.old), ("new", asked.new)]:
            lacks = asked.old_lacks if name == "old" else []
            settings = {key: value for key, value in SETTINGS.items() if key not in lacks}
            if asked.postgres:
                settings["AUTHAPI_DATABASE__URL"] = empty_database(asked.postgres, f"compare_{name}")
            # On a disk: fsync costs nothing in memory.
            running = service(binary.resolve(), settings=settings, parent=os.environ.get("TMPDIR", "/var/tmp"))
            sides.append(Side(stack.enter_context(running)))
        for work in asked.work:
            ratios = compare(sides, work, asked)
            low, middle, high = statistics.quantiles(ratios, n=4)
            print(
                f"{work}: {100 * (middle - 1):+.1f} %; quartiles {100 * (low - 1):+.1f} to "
                f"{100 * (high - 1):+.1f}; {len(ratios)} pairs of {asked.seconds} s",
                flush=True,
            )


main()

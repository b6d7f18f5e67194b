"""Measures whether the duration of a login shows if the account exists.

Usage: login_times.py BINARY [LOGINS [DATABASE_URL]]. The script starts the service in an empty
folder with its default cost of hashing, on SQLite or on an empty Postgres database, and logs in
with wrong passwords to known and unknown accounts in random order on one connection: first within
the budgets, so that each login is hashed (401), then over the budget of each account, from a new
network each time, so that each is refused (429). For both it prints the probability that a login to
a known account takes longer than one to an unknown account (AUC; 0.5 shows nothing). It exits with
0 if both lie between 0.48 and 0.52.
"""

import http.client
import json
import random
import statistics
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "common"))

from service import call, service  # noqa: E402

ACCOUNTS = 20
LOGINS = 10_000  # to known accounts, and to unknown ones
WARM_UP = 400
WRONG = "seven drunk walruses 24"
RANGE = (0.48, 0.52)
LARGE = {
    "AUTHAPI_LOG__LEVEL": "warn",
    "AUTHAPI_SERVER__TRUSTED_PROXIES": "127.0.0.0/8",
    "AUTHAPI_THROTTLE__SERVICE_BURST": "1000000",
    "AUTHAPI_THROTTLE__SERVICE_PER_MINUTE": "1000000",
}
HASHED = LARGE | {"AUTHAPI_THROTTLE__ACCOUNT_BURST": "1000", "AUTHAPI_THROTTLE__ACCOUNT_PER_HOUR": "1000000"}
REFUSED = LARGE | {"AUTHAPI_THROTTLE__ACCOUNT_BURST": "1", "AUTHAPI_THROTTLE__ACCOUNT_PER_HOUR": "1"}


def network(number):
    """Returns an address in the /24 `number`."""
    return f"{10 + number // 65_536}.{number // 256 % 256}.{number % 256}.7"


def log_in(connection, login, number):
    """Returns the duration of a login in nanoseconds, and its status."""
    body = json.dumps({"login": login, "password": WRONG})
    headers = {"Content-Type": "application/json", "X-Forwarded-For": network(number)}
    started = time.perf_counter_ns()
    connection.request("POST", "/login", body, headers)
    answer = connection.getresponse()
    answer.read()
    return time.perf_counter_ns() - started, answer.status


def auc(known, unknown):
    """Returns the probability that a value of `known` is above one of `unknown`, by their ranks."""
    merged = sorted([(value, 1) for value in known] + [(value, 0) for value in unknown])
    ranks, position = 0.0, 0
    while position < len(merged):
        same = position
        while same < len(merged) and merged[same][0] == merged[position][0]:
            same += 1
        rank = (position + 1 + same) / 2
        ranks += rank * sum(is_known for _, is_known in merged[position:same])
        position = same
    return (ranks - len(known) * (len(known) + 1) / 2) / (len(known) * len(unknown))


def measure(running, name, logins, wanted):
    """Returns the durations of logins to known and to unknown accounts that got the status `wanted`.
    The logins of the accounts start with `name`."""
    connection = http.client.HTTPConnection(urlsplit(running.base).netloc, timeout=30)
    numbers = iter(range(2 * (logins + WARM_UP) + 4 * ACCOUNTS))
    accounts = [f"{name}-{number}-{kind}" for kind in ["known", "other"] for number in range(ACCOUNTS)]
    for login in accounts:
        log_in(connection, login, next(numbers))
    order = [accounts[turn % len(accounts)] for turn in range(2 * (logins + WARM_UP))]
    random.Random(16).shuffle(order)
    durations = {"known": [], "other": []}
    for turn, login in enumerate(order):
        duration, status = log_in(connection, login, next(numbers))
        if status != wanted:
            sys.exit(f"login {turn} got {status} instead of {wanted}")
        if turn >= 2 * WARM_UP:
            durations[login.split("-")[2]].append(duration)
    return durations["known"], durations["other"]


def main():
    binary = Path(sys.argv[1]).resolve()
    logins = int(sys.argv[2]) if len(sys.argv) > 2 else LOGINS
    database = {"AUTHAPI_DATABASE__URL": sys.argv[3]} if len(sys.argv) > 3 else {}
    right = True
    for name, settings, wanted in [("hashed", HASHED, 401), ("refused", REFUSED, 429)]:
        with service(binary, settings=settings | database) as running:
            for number in range(ACCOUNTS):
                body = {"login": f"{name}-{number}-known", "password": f"eleven calm herons {number}"}
                call("POST", f"{running.base}/register", body)
            known, unknown = measure(running, name, logins, wanted)
        area = auc(known, unknown)
        right = right and RANGE[0] <= area <= RANGE[1]
        medians = [statistics.median(values) / 1e6 for values in (known, unknown)]
        print(
            f"{name}: AUC {area:.4f}; {len(known)} logins to known accounts, median {medians[0]:.3f} ms; "
            f"{len(unknown)} to unknown accounts, median {medians[1]:.3f} ms",
            flush=True,
        )
    sys.exit(0 if right else 1)


main()

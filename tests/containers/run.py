"""Runs the compose files with Docker: the README's walk-through, and faults of each part under load.

Usage: run.py [--stand-ins] [FAULT...]. FAULT limits the test to faults with this text in their name. With
--stand-ins, the images come from tests/containers/stand-ins.
"""

import signal
import sys
import tempfile
import time
from pathlib import Path

from load import PASSWORD, Load, send, send_until_answered
from stack import REPOSITORY, Stack, engine

sys.path.append(str(REPOSITORY / "tests/readme"))
from walk import differences  # noqa: E402

# For each compose file. Building the images has its own limit.
TEST_WITHIN = 900  # seconds
LOGOUTS_AFTER_FAULT = 20
# Shorter and longer than what the replicas and the proxy wait for a paused replica. During the last
# one, a read that is not repeated elsewhere gets no response in time.
PAUSES = [0.5, 1.5, 2.5, 4, 8, 25]

failed = []


def check(holds, what):
    print(f"{'ok  ' if holds else 'FAIL'} {what}", flush=True)
    if not holds:
        failed.append(what)


def one_service(stack):
    started = time.monotonic()
    with stack:
        check(True, f"compose.yaml is healthy after {time.monotonic() - started:.0f} s")
        check(differences(REPOSITORY / "README.md", stack.base) == 0, "the README's walk-through prints what it shows")
        create = ["users", "create", "--login", "root", "--role", "admin", "--role", "user"]
        stack.compose("run", "--rm", "-T", "cli", *create, text=f"{PASSWORD}\n")
        _, pair = send(stack.base, "POST", "/login", body={"login": "root", "password": PASSWORD})
        status, _ = send(stack.base, "GET", "/users", token=pair.get("access_token"))
        check(status == 200, "the cli service creates an administrator")
        with Load(stack.base) as load:
            load.wait_for_logouts(LOGOUTS_AFTER_FAULT)
        report(load, "compose.yaml without a fault")


def killed(stack, service, seconds):
    container = stack.container(service)
    engine("kill", container)
    time.sleep(seconds)
    engine("start", container)


def paused(stack, service, seconds):
    container = stack.container(service)
    engine("pause", container)
    time.sleep(seconds)
    engine("unpause", container)


def redis_master(stack):
    command = ["exec", "-T", "redis-sentinel-1", "redis-cli", "-p", "26379", "sentinel", "get-master-addr-by-name", "authapi"]
    return stack.compose(*command).split()[0]


def paused_replica(stack):
    for seconds in PAUSES:
        paused(stack, "api-2", seconds)
        time.sleep(1)


# Each fault, and whether every read gets its proper response throughout (docs/containers.md).
FAULTS = {
    "a killed replica": (lambda stack: killed(stack, "api-1", 8), True),
    "a paused replica": (paused_replica, True),
    "a killed Redis master": (lambda stack: killed(stack, redis_master(stack), 10), True),
    "a paused Redis master": (lambda stack: paused(stack, redis_master(stack), 6), True),
    "a killed standby": (lambda stack: killed(stack, "postgres-standby", 4), True),
    "a killed Postgres": (lambda stack: killed(stack, "postgres", 5), False),
}


def report(load, when):
    check(not load.errors, f"{when}: the clients work {load.errors or ''}")
    check(not load.accepted, f"{when}: {len(load.revoked)} logouts, and {load.checks} requests with revoked tokens: none is accepted {load.accepted[:5] or ''}")


def under_fault(stack, load, name):
    fault, reads_succeed = FAULTS[name]
    broken_before = len(load.broken_reads)
    fault(stack)
    stack.wait_until_healthy()
    load.wait_for_logouts(LOGOUTS_AFTER_FAULT)
    broken = load.broken_reads[broken_before:]
    if reads_succeed:
        check(not broken, f"{name}: reads succeed throughout {broken[:5] or ''}")
    report(load, name)


def three_replicas(stack, faults):
    started = time.monotonic()
    with stack:
        check(True, f"compose.replicas.yaml is healthy after {time.monotonic() - started:.0f} s")
        with Load(stack.base) as load:
            load.wait_for_logouts(LOGOUTS_AFTER_FAULT)
            for name in faults:
                under_fault(stack, load, name)
        answers = [send_until_answered(stack.base, "GET", "/me", token=token) for token in load.revoked]
        check(all(status == 401 for status, _ in answers), f"at the end, all {len(answers)} revoked tokens are rejected")


def main(*arguments):
    stand_ins = "--stand-ins" in arguments
    words = [argument for argument in arguments if not argument.startswith("--")]
    faults = [name for name in FAULTS if not words or any(word in name for word in words)]
    with tempfile.TemporaryDirectory() as folder:
        one, three = (Stack(file, folder, stand_ins) for file in ("compose.yaml", "compose.replicas.yaml"))
        if not words:
            one.prepare()
            signal.alarm(TEST_WITHIN)
            one_service(one)
            signal.alarm(0)
        three.prepare()
        signal.alarm(TEST_WITHIN)
        three_replicas(three, faults)
        signal.alarm(0)
    return 1 if failed else 0


def out_of_time(*_):
    raise RuntimeError(f"not finished within {TEST_WITHIN} s")


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, out_of_time)
    try:
        sys.exit(main(*sys.argv[1:]))
    except RuntimeError as error:
        sys.exit(f"FAIL {error}")

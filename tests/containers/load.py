"""Clients that log in and out all the time, and check that no revoked token is accepted."""

import http.client
import json
import random
import threading
import time
from urllib.parse import urlsplit

RESPOND_WITHIN = 20  # seconds
RETRY_WITHIN = 120
RETRY_EVERY = 0.2
READ_EVERY = 0.05
CLIENTS = 4
PASSWORD = "correct horse battery staple"
# Answers to a logout that was made by an earlier attempt.
ALREADY_ENDED = {"token_revoked", "session_revoked"}


def send(base, method, path, token=None, body=None):
    """Returns the status and the body; the status is 0 if there is no response."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=RESPOND_WITHIN)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else {}
    except (OSError, http.client.HTTPException):
        return 0, {}
    finally:
        connection.close()


def send_until_answered(base, *request, **content):
    """Repeats a request that got no response, a 408 or a 503, as a client does."""
    deadline = time.monotonic() + RETRY_WITHIN
    while (answer := send(base, *request, **content))[0] in (0, 408, 503):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{' '.join(request)} got no answer within {RETRY_WITHIN} s")
        time.sleep(RETRY_EVERY)
    return answer


def log_in(base, login):
    status, pair = send_until_answered(base, "POST", "/login", body={"login": login, "password": PASSWORD})
    if status != 200:
        raise RuntimeError(f"a login failed: {status} {pair}")
    return pair["access_token"]


class Load:
    """Clients in the background, from `with` until its end."""

    def __init__(self, base):
        self.base = base
        self.lock, self.stop = threading.Lock(), threading.Event()
        self.revoked, self.checks = [], 0
        # Violations: what was accepted or failed.
        self.accepted, self.errors, self.broken_reads = [], [], []
        logins = [f"client-{number}" for number in range(CLIENTS)]
        for login in [*logins, "reader"]:
            status, answer = send_until_answered(base, "POST", "/register", body={"login": login, "password": PASSWORD})
            if status not in (201, 409):
                raise RuntimeError(f"a registration failed: {status} {answer}")
        self.reader_token = log_in(base, "reader")
        work = [(self.log_in_and_out, login) for login in logins] + [(self.read_on, "reader")]
        self.threads = [threading.Thread(target=self.repeat, args=what, daemon=True) for what in work]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(RETRY_WITHIN + RESPOND_WITHIN)

    def repeat(self, what, login):
        try:
            while not self.stop.is_set():
                what(login)
        except Exception as error:  # noqa: BLE001 - a client that ends is a failure of the test
            self.errors.append(f"{login}: {error}")

    def log_in_and_out(self, login):
        token = log_in(self.base, login)
        # Each replica now keeps the session in memory.
        for _ in range(3):
            self.read(token, 200)
        status, answer = send_until_answered(self.base, "POST", "/logout", token=token)
        if status != 204 and answer.get("code") not in ALREADY_ENDED:
            raise RuntimeError(f"a logout failed: {status} {answer}")
        with self.lock:
            self.revoked.append(token)
            older = random.sample(self.revoked, min(3, len(self.revoked)))
        for revoked in [token] * 4 + older:
            status = self.read(revoked, 401)
            with self.lock:
                self.checks += 1
                if status not in (0, 401, 408, 503):
                    self.accepted.append((time.strftime("%X"), status))

    def read_on(self, _):
        """Reads with a session that stays valid."""
        self.read(self.reader_token, 200)
        self.stop.wait(READ_EVERY)

    def read(self, token, expected):
        """Returns the status, and records it if it is not the expected one."""
        status, answer = send(self.base, "GET", "/me", token=token)
        if status != expected:
            with self.lock:
                self.broken_reads.append((status, answer.get("code")))
        return status

    def wait_for_logouts(self, more):
        """Waits until the clients have logged out `more` times from now."""
        goal, deadline = len(self.revoked) + more, time.monotonic() + RETRY_WITHIN
        while len(self.revoked) < goal:
            if self.errors or time.monotonic() > deadline:
                raise RuntimeError(f"the clients do not log out any more: {self.errors}")
            time.sleep(RETRY_EVERY)

"""Authentication for Schemathesis: a new user with the wanted role each time that tokens are needed.

Generated requests log out, change passwords and delete accounts. Schemathesis then asks for new
tokens after the first 401.
"""

import itertools
import os
import subprocess

import schemathesis
from service import call

BASE = os.environ["TEST_API_BASE"]
ROLE = os.environ["TEST_API_ROLE"]
PASSWORD = "seven sober walruses 42"
numbers = itertools.count(1)
# The fields of bodies that must match the account, which generated values never do.
ACCOUNT_FIELDS = {
    ("POST", "/login"): {"login": "login", "password": "password"},
    ("PUT", "/me/password"): {"current_password": "password"},
    ("DELETE", "/me"): {"password": "password"},
    ("POST", "/me/reauthenticate"): {"password": "password"},
}


def create_admin(account):
    command = [os.environ["TEST_API_BINARY"], "users", "create", "--login", account["login"]]
    command += ["--role", "admin", "--role", "user"]
    options = {"cwd": os.environ["TEST_API_FOLDER"], "stdout": subprocess.DEVNULL, "text": True, "check": True}
    subprocess.run(command, input=account["password"] + "\n", **options)


@schemathesis.auth(refresh_interval=600)
class Tokens:
    def get(self, case, context):
        account = {"login": f"tester-{next(numbers)}", "password": PASSWORD}
        if ROLE == "admin":
            create_admin(account)
        else:
            call("POST", f"{BASE}/register", account)
        return account | call("POST", f"{BASE}/login", account)

    def set(self, case, data, context):
        kind = "refresh_token" if case.operation.path == "/refresh" else "access_token"
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data[kind]}"}
        is_valid = case.meta is not None and case.meta.generation.mode.is_positive
        if is_valid and isinstance(case.body, dict):
            fields = ACCOUNT_FIELDS.get((case.method.upper(), case.operation.path), {})
            case.body |= {field: data[name] for field, name in fields.items()}

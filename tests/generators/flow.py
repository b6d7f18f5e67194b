"""The flow with the client that openapi-python-client generates from the document.

Arguments: URL of the service; login of a new user; login of an administrator; their password.
"""

import importlib
import pkgutil
import sys

import authapi_client.api
from authapi_client import AuthenticatedClient, Client, models


def operation(name):
    """Returns the module of an operation. Modules are in a package for each tag of the document."""
    for found in pkgutil.walk_packages(authapi_client.api.__path__, "authapi_client.api."):
        if found.name.endswith(f".{name}"):
            return importlib.import_module(found.name)
    raise LookupError(name)


def body(name, client, status, **arguments):
    """Calls the operation and returns the body of the response, which must have the status."""
    response = operation(name).sync_detailed(client=client, **arguments)
    assert response.status_code == status, (name, response.status_code, response.content)
    return response.parsed


def main():
    base, login, administrator, password = sys.argv[1:]
    anonymous = Client(base_url=base)

    def authenticated(pair):
        return AuthenticatedClient(base_url=base, token=pair.access_token)

    user = body("register", anonymous, 201, body=models.RegisterRequest(login=login, password=password))
    assert user.login == login
    pair = body("log_in", anonymous, 200, body=models.LoginRequest(login=login, password=password))
    assert body("me", authenticated(pair), 200).login == login

    refresh = models.RefreshRequest(refresh_token=pair.refresh_token)
    pair = body("refresh", anonymous, 200, body=refresh)
    assert body("me", authenticated(pair), 200).login == login
    # The refresh token can also be sent in the header, without a body.
    sent = AuthenticatedClient(base_url=base, token=pair.refresh_token)
    pair = body("refresh", sent, 200)

    credentials = models.LoginRequest(login=administrator, password=password)
    admin = authenticated(body("log_in", anonymous, 200, body=credentials))
    roles = models.AssignRolesRequest(login=login, new_roles=["user", "admin"])
    assert "admin" in body("assign_roles", admin, 200, body=roles).roles

    body("log_out", admin, 204)
    assert body("me", admin, 401).code == "token_revoked"


main()

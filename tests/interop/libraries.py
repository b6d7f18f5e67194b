"""Verification of access tokens with Python libraries, as their documentation shows it.

Each function verifies a token with the keys at a JWKS URL and returns its claims, or raises.
"""

import json
import urllib.request
import warnings

import jwt as pyjwt
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from jose import jwt as python_jose
from joserfc import jwt as joserfc
from joserfc.jwk import KeySet

# joserfc warns about the name EdDSA (RFC 9864), and Authlib about its own use of joserfc.
warnings.simplefilter("ignore")

REQUIRED = ["iss", "aud", "sub", "client_id", "iat", "exp", "jti", "sid", "auth_time", "roles"]


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def require_access_token(header):
    if header.get("typ") != "at+jwt":
        raise ValueError("typ is not at+jwt")


def with_pyjwt(token, algorithm, jwks, issuer, audience):
    key = pyjwt.PyJWKClient(jwks).get_signing_key_from_jwt(token)
    require_access_token(pyjwt.get_unverified_header(token))
    return pyjwt.decode(
        token, key, algorithms=[algorithm], audience=audience, issuer=issuer, options={"require": REQUIRED}
    )


def with_joserfc(token, algorithm, jwks, issuer, audience):
    verified = joserfc.decode(token, KeySet.import_key_set(fetch(jwks)), algorithms=[algorithm])
    require_access_token(verified.header)
    rules = {name: {"essential": True} for name in REQUIRED if name != "roles"}
    rules["iss"]["value"] = issuer
    rules["aud"]["value"] = audience
    joserfc.JWTClaimsRegistry(**rules).validate(verified.claims)
    return verified.claims


def with_authlib(token, algorithm, jwks, issuer, audience):
    class Validator(JWTBearerTokenValidator):
        def get_jwks(self):
            return fetch(jwks)

    validator = Validator(issuer=issuer, resource_server=audience)
    claims = validator.authenticate_token(token)
    validator.validate_token(claims, scopes=None, request=None)
    # The validator has no list of algorithms.
    if claims.header["alg"] != algorithm:
        raise ValueError("another algorithm")
    return claims


def with_python_jose(token, algorithm, jwks, issuer, audience):
    require_access_token(python_jose.get_unverified_header(token))
    return python_jose.decode(token, fetch(jwks), algorithms=[algorithm], issuer=issuer, audience=audience)


LIBRARIES = {
    "PyJWT": with_pyjwt,
    "joserfc": with_joserfc,
    "Authlib": with_authlib,
    "python-jose": with_python_jose,
}

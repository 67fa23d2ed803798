"""Logging in: client credentials and JWT bearer; nothing that Salesforce is retiring."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Any

import jwt
from flask import Blueprint, Response, request

from sandbox.org import new_token
from sandbox.web import answer, empty, org

oauth = Blueprint("oauth", __name__)

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class LoginRefused(Exception):
    """The token endpoint says no, in OAuth's words."""

    def __init__(self, error: str, description: str) -> None:
        self.error = error
        self.description = description
        super().__init__(f"{error}: {description}")


@oauth.errorhandler(LoginRefused)
def refused(error: LoginRefused) -> Response:
    """The refusal as OAuth writes it."""
    return answer({"error": error.error, "error_description": error.description}, 400)


@oauth.post("/services/oauth2/token")
def token() -> Response:
    """A new access token."""
    grant = request.form.get("grant_type", "")
    if grant == "client_credentials":
        username = _client_credentials()
    elif grant == JWT_BEARER:
        username = _jwt_bearer(request.form.get("assertion", ""))
    else:
        raise LoginRefused("unsupported_grant_type", "grant type not supported")
    here = org()
    with here.db.transaction():
        row = here.db.one("SELECT Id, IsActive FROM User WHERE Username = ? AND IsDeleted = 0", (username,))
    if row is None or not row[1]:
        raise LoginRefused("invalid_grant", "user hasn't approved this consumer")
    session = here.sessions.start(new_token(here.org_id), row[0], here.config.client_id)
    here.usage.note("tokens")
    return answer(_token_body(session.token, row[0]))


@oauth.route("/services/oauth2/revoke", methods=["GET", "POST"])
def revoke() -> Response:
    """Ends a token."""
    if not org().sessions.end(request.values.get("token", "")):
        raise LoginRefused("invalid_token", "invalid token")
    return empty(200)


@oauth.get("/services/oauth2/userinfo")
@oauth.get("/id/<org_id>/<user_id>")
def userinfo(org_id: str = "", user_id: str = "") -> Response:
    """Who the token stands for, also at the address that the token's own answer names."""
    here = org()
    session = here.sessions.find(request.headers.get("Authorization", "").partition(" ")[2])
    if session is None or (org_id or here.org_id, user_id or session.user_id) != (here.org_id, session.user_id):
        return answer({"error": "invalid_token", "error_description": "Bad_OAuth_Token"}, 403)
    with here.db.transaction():
        row = here.db.one("SELECT Username, Email FROM User WHERE Id = ?", (session.user_id,))
    username, email = row or ("", "")
    return answer(
        {
            "sub": _identity(session.user_id),
            "id": _identity(session.user_id),
            "user_id": session.user_id,
            "organization_id": here.org_id,
            "preferred_username": username,
            "username": username,
            "email": email,
            "urls": {"rest": f"{_here()}/services/data/v{{version}}/"},
        }
    )


def _client_credentials() -> str:
    given = request.authorization
    if given is not None and given.type == "basic":
        client, secret = given.username or "", given.password or ""
    else:
        client, secret = request.form.get("client_id", ""), request.form.get("client_secret", "")
    config = org().config
    if client != config.client_id:
        raise LoginRefused("invalid_client_id", "client identifier invalid")
    if not hmac.compare_digest(secret.encode(), config.client_secret.encode()):
        raise LoginRefused("invalid_client", "invalid client credentials")
    return config.username


def _jwt_bearer(assertion: str) -> str:
    config = org().config
    if config.public_key is None:
        raise LoginRefused("invalid_grant", "no certificate is set for this client")
    try:
        claims: dict[str, Any] = jwt.decode(
            assertion,
            config.public_key,
            algorithms=["RS256"],
            audience=[_here(), f"{_here()}/"],
            issuer=config.client_id,
            options={"require": ["iss", "sub", "aud", "exp"]},
        )
    except jwt.InvalidAudienceError as error:
        raise LoginRefused("invalid_grant", "audience is invalid") from error
    except jwt.ExpiredSignatureError as error:
        raise LoginRefused("invalid_grant", "expired authorization code") from error
    except jwt.InvalidIssuerError as error:
        raise LoginRefused("invalid_client_id", "client identifier invalid") from error
    except jwt.PyJWTError as error:
        raise LoginRefused("invalid_grant", "invalid assertion") from error
    return str(claims["sub"])


def _token_body(access_token: str, user_id: str) -> dict[str, str]:
    here = org()
    issued_at = str(here.clock())
    identity = _identity(user_id)
    signed = hmac.new(here.config.client_secret.encode(), (identity + issued_at).encode(), hashlib.sha256).digest()
    return {
        "access_token": access_token,
        "signature": base64.b64encode(signed).decode(),
        "scope": "api",
        "instance_url": _here(),
        "id": identity,
        "token_type": "Bearer",
        "issued_at": issued_at,
        "api_instance_url": _here(),
        "sfdc_community_id": "",
        "nonce": secrets.token_hex(8),
    }


def _identity(user_id: str) -> str:
    return f"{_here()}/id/{org().org_id}/{user_id}"


def _here() -> str:
    return request.host_url.rstrip("/")

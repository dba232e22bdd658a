"""Who is calling. For now one admin key, whose caller owns everything under the default tenant."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated

import fastapi
import structlog
from fastapi import security

from shared import errors

DEFAULT_TENANT = "ten_00000000000000000000000000"
ADMIN_KEY_ID = "key_00000000000000000000000000"
SHORTEST_KEY = 16

# Everything else needs a key; a test compares this list with the routes.
PUBLIC_ROUTES = frozenset(
    {"/livez", "/readyz", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json", "/callbacks/{token}"}
    | {"/sign-in", "/sign-out", "/assets/{name}"}
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key it is and what the key may do."""

    tenant_id: str
    key_id: str
    scopes: frozenset[str]


class Keys:
    """The keys that are accepted."""

    def __init__(self, admin_key: str) -> None:
        if len(admin_key) < SHORTEST_KEY:
            raise ValueError(f"GENQUEUE_ADMIN_KEY must have at least {SHORTEST_KEY} characters.")
        self._admin = _digest(admin_key)

    def identify(self, request: fastapi.Request) -> Caller:
        """The caller of this request. Raises UnauthenticatedError. May be repeated."""
        given = _given(request)
        # Digests have one length, so the time of comparing tells nothing about the key.
        if given is None or not hmac.compare_digest(_digest(given), self._admin):
            raise errors.UnauthenticatedError
        structlog.contextvars.bind_contextvars(tenant_id=DEFAULT_TENANT, key_id=ADMIN_KEY_ID)
        return Caller(DEFAULT_TENANT, ADMIN_KEY_ID, frozenset({"*"}))


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _given(request: fastapi.Request) -> str | None:
    header = request.headers.get("authorization")
    if header is None:
        return request.headers.get("x-api-key")
    scheme, _, key = header.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None


_bearer = security.HTTPBearer(auto_error=False, description="`Authorization: Bearer <key>`")
_header = security.APIKeyHeader(name="X-Api-Key", auto_error=False, description="The same key, without a scheme")


async def caller(
    request: fastapi.Request,
    _by_bearer: Annotated[security.HTTPAuthorizationCredentials | None, fastapi.Security(_bearer)],
    _by_header: Annotated[str | None, fastapi.Security(_header)],
) -> Caller:
    """The dependency that every route but the public ones declares."""
    keys: Keys = request.app.state.parts.keys
    return keys.identify(request)


async def operator(caller: Annotated[Caller, fastapi.Depends(caller)]) -> Caller:
    """The dependency of routes that show the whole installation. Raises ForbiddenError."""
    if "*" not in caller.scopes:
        raise errors.ForbiddenError(param="*")
    return caller


Operator = Annotated[Caller, fastapi.Depends(operator)]
Authenticated = Annotated[Caller, fastapi.Depends(caller)]

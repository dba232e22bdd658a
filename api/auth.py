"""Who is calling, and what the key may do."""

import asyncio
import contextvars
import hmac
import math
from dataclasses import dataclass
from typing import Annotated

import fastapi
import structlog
from fastapi import security

from shared import clock, errors
from shared.db import engine
from shared.db import keys as key_rows
from shared.domain import audit, keys, tenants
from shared.queues import limits as rates
from shared.services import acceptance
from shared.services import keys as key_services

DEFAULT_TENANT = tenants.HOUSE_ID
ADMIN_KEY_ID = tenants.ADMIN_KEY_ID
SHORTEST_KEY = 16
LONGEST_KEY = 512
# How long a key is trusted without another look. A change of keys is told to all processes at once; this is for the
# moment when that is not heard.
REMEMBERED_SECONDS = 5.0
MOST_REMEMBERED = 10_000

# Everything else needs a key; a test compares this list with the routes.
PUBLIC_ROUTES = frozenset(
    {"/livez", "/readyz", "/docs", "/openapi.json", "/callbacks/{token}"} | {"/sign-in", "/sign-out", "/assets/{name}"}
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key it is and what the key may do."""

    tenant_id: str
    key_id: str
    scopes: frozenset[keys.Scope]
    mode: keys.Mode = keys.Mode.LIVE
    limits: keys.Limits = keys.Limits()  # noqa: RUF009 - frozen
    retention_seconds: int | None = None

    @property
    def is_operator(self) -> bool:
        """Whether the caller runs the whole installation: an admin of the house's own tenant."""
        return self.tenant_id == tenants.HOUSE_ID and keys.Scope.ADMIN in self.scopes

    @property
    def within(self) -> str | None:
        """The tenant that administration is confined to; None for an operator."""
        return None if self.is_operator else self.tenant_id

    @property
    def sender(self) -> acceptance.Sender:
        """What accepting a job needs to know."""
        return acceptance.Sender(self.tenant_id, self.key_id, self.mode, self.limits, self.retention_seconds)

    def must_be_operator(self) -> None:
        """Raise ForbiddenError for what concerns the whole installation, unless the caller runs it."""
        if not self.is_operator:
            raise errors.ForbiddenError(
                "Only an operator may do that: an admin of the house's own tenant.", param="scope"
            )

    def check(self, scope: keys.Scope) -> None:
        """Raise ForbiddenError, naming the scope, if the key may not do that."""
        if not self.scopes & {scope, keys.Scope.ADMIN}:
            raise errors.ForbiddenError(
                f"This key needs the scope {scope.value!r}.",
                param="scope",
                accepted=list(dict.fromkeys((scope, keys.Scope.ADMIN))),
            )


@dataclass(frozen=True, slots=True)
class _Memory:
    """What was found for a digest, and until when it is trusted (the loop's clock)."""

    holder: key_rows.Holder | None
    until: float


_Looks = dict[str, asyncio.Task[key_rows.Holder | None]]


class Keys:
    """The keys that are accepted: the admin key of the settings, and those in the database."""

    def __init__(self, admin_key: str, db: engine.Database, counters: rates.Limits, bad_keys_per_minute: int) -> None:
        if len(admin_key) < SHORTEST_KEY:
            raise ValueError(f"GENQUEUE_ADMIN_KEY must have at least {SHORTEST_KEY} characters.")
        self._admin = keys.digest(admin_key)
        self._db = db
        self._counters = counters
        self._bad_keys_per_minute = bad_keys_per_minute
        self._remembered: dict[str, _Memory] = {}
        self._looks: _Looks = {}

    def forget(self) -> None:
        """Trust nothing that is remembered: some key has changed."""
        self._remembered, self._looks = {}, {}

    async def identify(self, request: fastapi.Request) -> Caller:
        """The caller of this request; also binds who acts, for logs and audit. Raises UnauthenticatedError, and
        RateLimitedError for an address that keeps sending bad keys. May be repeated.
        """
        state = request.scope.setdefault("state", {})
        if "caller" not in state:
            state["caller"] = await self._find(request)
        found: Caller = state["caller"]
        structlog.contextvars.bind_contextvars(tenant_id=found.tenant_id, key_id=found.key_id)
        audit.acting.set(audit.Actor(found.key_id, state.get("request_id"), _address(request)))
        return found

    async def _find(self, request: fastapi.Request) -> Caller:
        secret = given(request)
        if secret is None:
            raise errors.UnauthenticatedError
        digest = keys.digest(secret)
        # Digests have one length, so the time of comparing tells nothing about the key.
        if hmac.compare_digest(digest, self._admin):
            return Caller(DEFAULT_TENANT, ADMIN_KEY_ID, frozenset(keys.Scope))
        holder = await self._holder(request, secret, digest)
        if holder is None:
            await self._count_bad(request)
            raise errors.UnauthenticatedError
        if holder.tenant_disabled or not holder.key.is_usable(clock.now()):
            raise errors.UnauthenticatedError("This key is disabled or has expired.")
        key = holder.key
        return Caller(key.tenant_id, key.id, key.scopes, key.mode, key.limits, holder.tenant_retention_seconds)

    async def _holder(self, request: fastapi.Request, secret: str, digest: str) -> key_rows.Holder | None:
        """A key that cannot be one costs no look-up: its checksum is wrong. Nor does one from a locked address."""
        memory = self._memory(digest)
        if memory is None:
            if keys.mode_of(secret) is None:
                return None
            await self._check_address(request)
            memory = self._memory(digest)
        return memory.holder if memory is not None else await self._look(digest)

    def _memory(self, digest: str) -> _Memory | None:
        memory = self._remembered.get(digest)
        trusted = memory is not None and asyncio.get_running_loop().time() < memory.until
        return memory if trusted else None

    async def _look(self, digest: str) -> key_rows.Holder | None:
        """One look for all who come with the key at the moment it is trusted no longer: of a busy one, dozens do."""
        looks = self._looks
        if digest not in looks:
            # It goes on if the request that happened to be first is given up.
            looks[digest] = asyncio.create_task(self._look_up(digest, looks), context=contextvars.Context())
        return await asyncio.shield(looks[digest])

    async def _look_up(self, digest: str, looks: _Looks) -> key_rows.Holder | None:
        until = asyncio.get_running_loop().time() + REMEMBERED_SECONDS
        try:
            holder = await key_services.find(self._db, digest, clock.now())
        finally:
            del looks[digest]
        # A change told of while we looked may not be in what we saw.
        if looks is self._looks:
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[digest] = _Memory(holder, until)
        return holder

    async def _check_address(self, request: fastapi.Request) -> None:
        if self._bad_keys_per_minute:
            await self._judge(request, take=False)

    async def _count_bad(self, request: fastapi.Request) -> None:
        if self._bad_keys_per_minute:
            await self._judge(request, take=True)

    async def _judge(self, request: fastapi.Request, *, take: bool) -> None:
        verdict = await self._counters.take(f"bad:{_address(request)}", self._bad_keys_per_minute, take=take)
        if not verdict.allowed:
            raise errors.RateLimitedError(
                "Too many bad keys came from this address.",
                retry_after_seconds=math.ceil(verdict.retry_seconds),
                details={"limit": "bad_keys_per_minute"},
            )


def given(request: fastapi.Request) -> str | None:
    """The key as it was sent, in any of the ways we take; None if there is none."""
    header = request.headers.get("authorization")
    if header is None:
        sent = request.headers.get("x-api-key")
    else:
        scheme, _, rest = header.partition(" ")
        sent = rest.strip() if scheme.lower() in ("bearer", "key") else None
    return sent if sent and len(sent) <= LONGEST_KEY else None


def _address(request: fastapi.Request) -> str:
    return request.client.host if request.client else "unknown"


_bearer = security.HTTPBearer(auto_error=False, description="`Authorization: Bearer <key>`")
_header = security.APIKeyHeader(name="X-Api-Key", auto_error=False, description="The same key, without a scheme")


async def caller(
    request: fastapi.Request,
    _by_bearer: Annotated[security.HTTPAuthorizationCredentials | None, fastapi.Security(_bearer)],
    _by_header: Annotated[str | None, fastapi.Security(_header)],
) -> Caller:
    """The dependency that every route but the public ones declares."""
    known: Keys = request.app.state.parts.keys
    return await known.identify(request)


async def operator(caller: Annotated[Caller, fastapi.Depends(caller)]) -> Caller:
    """The dependency of routes that show the whole installation. Raises ForbiddenError."""
    if not caller.is_operator:
        raise errors.ForbiddenError("This shows the whole installation; it needs an operator's key.", param="scope")
    return caller


Operator = Annotated[Caller, fastapi.Depends(operator)]
# Reading needs the scope `read`, anything else `manage` (routing.py), unless the route says otherwise by:
Authenticated = Annotated[Caller, fastapi.Depends(caller)]


@dataclass(frozen=True, slots=True)
class Needs:
    """Says which scope a route needs; None: any key will do."""

    scope: keys.Scope | None

    async def __call__(self, found: Authenticated) -> Caller:
        """The caller, who has the scope."""
        if self.scope is not None:
            found.check(self.scope)
        return found


Reader = Annotated[Caller, fastapi.Depends(Needs(keys.Scope.READ))]
Manager = Annotated[Caller, fastapi.Depends(Needs(keys.Scope.MANAGE))]
Submitter = Annotated[Caller, fastapi.Depends(Needs(keys.Scope.SUBMIT))]
Admin = Annotated[Caller, fastapi.Depends(Needs(keys.Scope.ADMIN))]
AnyCaller = Annotated[Caller, fastapi.Depends(Needs(None))]

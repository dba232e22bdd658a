"""`/v1/keys`, for admins; `/v1/key`, for whoever holds one."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import fastapi
import pydantic

from api import auth, errors, moments, parts, routing
from api.native import budgets as budget_answers
from api.native import pages
from shared import clock, ids
from shared.domain import budgets, keys, requests, tenants
from shared.services import budgets as budget_services
from shared.services import keys as key_services

KEY_ID = "key_01k0zqj5w3m8v4t2c6n9xb7rde"
LONGEST_GRACE_SECONDS = 30 * 86400

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["keys"])

_Name = Annotated[str, pydantic.Field(min_length=1, max_length=100, pattern=r"\S", examples=["Production"])]
_Limit = Annotated[int | None, pydantic.Field(ge=1, le=1_000_000_000)]
_Scopes = Annotated[
    frozenset[Annotated[keys.Scope, pydantic.Field(strict=False)]],
    # One that is named twice is one; the schema of a set would forbid it.
    pydantic.Field(min_length=1, json_schema_extra=lambda schema: schema.pop("uniqueItems", None)),
]
_Moment = Annotated[moments.Moment, pydantic.Field(strict=False)] | None
_KeyId = Annotated[str, fastapi.Path(examples=[KEY_ID])]


class _Limits(requests.Strict):
    """What a key is held to; null: as the settings say, or no limit."""

    requests_per_minute: _Limit = None
    max_queued: _Limit = None
    max_in_flight: _Limit = None
    max_batch_rows: _Limit = None


class NewKey(_Limits):
    """A key to be made."""

    name: _Name
    mode: Annotated[keys.Mode, pydantic.Field(strict=False)] = keys.Mode.LIVE
    scopes: Annotated[_Scopes, pydantic.Field(strict=False)] = frozenset({keys.Scope.SUBMIT, keys.Scope.READ})
    expires_at: _Moment = None
    tenant_id: Annotated[str | None, pydantic.Field(max_length=64, description="For operators; else your own")] = None


class KeyChange(_Limits):
    """What is to be changed; what is left out stays, null lifts a limit."""

    name: _Name = ""
    scopes: Annotated[_Scopes, pydantic.Field(strict=False)] = frozenset()
    expires_at: _Moment = None


class Rotation(requests.Strict):
    """How long the old secret works beside the new one."""

    grace_seconds: Annotated[int, pydantic.Field(ge=0, le=LONGEST_GRACE_SECONDS)] = 86400


class Key(pages.Listed):
    """A key, without its secret."""

    id: str = pydantic.Field(examples=[KEY_ID])
    tenant_id: str
    name: str
    mode: keys.Mode = pydantic.Field(description="`test` keys reach sandbox models only, and cost nothing")
    hint: str = pydantic.Field(description="How the secret begins", examples=["gq_live_4fGh"])
    scopes: list[keys.Scope]
    requests_per_minute: int | None
    max_queued: int | None
    max_in_flight: int | None
    max_batch_rows: int | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    disabled_at: datetime | None
    last_used_at: datetime | None
    previous_until_at: datetime | None = pydantic.Field(description="Until then the secret before the last one works")


class ShownKey(Key):
    """A key with its secret: the only time it is shown."""

    secret: str = pydantic.Field(examples=["gq_live_4fGhJk2mNpQrStUvWxYz0123456789abcdeF0a1B2"])


class Myself(Key):
    """The key you sent, what it has going on, and the budgets it must keep to."""

    queued: int
    in_flight: int
    budgets: list[budget_answers.Budget]


@router.post("/v1/keys", status_code=201, operation_id="create_key", responses=errors.documented(400, 401, 404, 409))
async def create_key(body: NewKey, caller: auth.Admin, given: parts.Given) -> ShownKey:
    """Make a key. Its secret is in this answer and never again. Admin keys of your own tenant may be made; those of
    others by operators.
    """
    new = key_services.NewKey(
        tenant_id=pages.whose(caller, body.tenant_id),
        name=body.name,
        mode=body.mode,
        scopes=body.scopes,
        limits=keys.Limits(body.requests_per_minute, body.max_queued, body.max_in_flight, body.max_batch_rows),
        expires_at=body.expires_at,
    )
    return _shown(await key_services.create(given.db, new, clock.now()))


@router.get("/v1/keys", operation_id="list_keys", responses=errors.documented(400, 401))
async def list_keys(caller: auth.Admin, given: parts.Given, page: pages.Wanted) -> pages.Page[Key]:
    """The keys of your tenant (operators: of all), oldest first."""
    page.check(ids.Prefix.KEY)
    found = await key_services.page(given.db, caller.within, page.cursor, page.limit + 1)
    return pages.cut([_answer(key) for key in found], page.limit)


@router.get("/v1/keys/{key_id}", operation_id="get_key", responses=errors.documented(400, 401, 404))
async def get_key(key_id: _KeyId, caller: auth.Admin, given: parts.Given) -> Key:
    """One key."""
    return _answer(await key_services.get(given.db, caller.within, key_id))


@router.patch("/v1/keys/{key_id}", operation_id="change_key", responses=errors.documented(400, 401, 404))
async def change_key(key_id: _KeyId, body: KeyChange, caller: auth.Admin, given: parts.Given) -> Key:
    """Change a key. It holds for every process within seconds."""
    values: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    return _answer(await key_services.change(given.db, caller.within, key_id, values, clock.now()))


@router.post("/v1/keys/{key_id}/rotate", operation_id="rotate_key", responses=errors.documented(400, 401, 404, 409))
async def rotate_key(key_id: _KeyId, body: Rotation, caller: auth.Admin, given: parts.Given) -> ShownKey:
    """Give a key a new secret. Its id, limits, budgets and usage stay; the old secret works for `grace_seconds`."""
    grace = timedelta(seconds=body.grace_seconds)
    return _shown(await key_services.rotate(given.db, caller.within, key_id, grace, clock.now()))


@router.delete("/v1/keys/{key_id}", operation_id="disable_key", responses=errors.documented(400, 401, 404))
async def disable_key(key_id: _KeyId, caller: auth.Admin, given: parts.Given) -> Key:
    """Disable a key for good, at once. Its jobs go on; its record stays. May be repeated."""
    return _answer(await key_services.disable(given.db, caller.within, key_id, clock.now()))


@router.get("/v1/key", operation_id="get_own_key", responses=errors.documented(400, 401))
async def get_own_key(caller: auth.AnyCaller, given: parts.Given) -> Myself:
    """The key you sent: what it may do, what it has going on, and what is left of its budgets."""
    now = clock.now()
    is_row = caller.key_id != tenants.ADMIN_KEY_ID
    key = await key_services.get(given.db, caller.tenant_id, caller.key_id) if is_row else _of_settings(caller)
    load = await key_services.load(given.db, caller.key_id)
    held: list[budgets.Budget] = await budget_services.of_key(given.db, caller.tenant_id, caller.key_id)
    return Myself(
        **_fields(key),
        queued=load.queued,
        in_flight=load.in_flight,
        budgets=[budget_answers.answer(budget, now) for budget in held],
    )


def _of_settings(caller: auth.Caller) -> keys.Key:
    """The admin key of the settings, which is no row."""
    return keys.Key(
        id=caller.key_id,
        tenant_id=caller.tenant_id,
        name="The admin key of the settings",
        mode=caller.mode,
        hint="",
        scopes=caller.scopes,
        limits=caller.limits,
        created_at=datetime.fromtimestamp(0, UTC),
        created_by="settings",
    )


_SAME_NAME = (
    *("id", "tenant_id", "name", "mode", "hint", "created_at", "created_by"),
    *("expires_at", "disabled_at", "last_used_at", "previous_until_at"),
)
_LIMITS = ("requests_per_minute", "max_queued", "max_in_flight", "max_batch_rows")


def _fields(key: keys.Key) -> dict[str, Any]:
    same = {name: getattr(key, name) for name in _SAME_NAME}
    return same | {name: getattr(key.limits, name) for name in _LIMITS} | {"scopes": sorted(key.scopes)}


def _answer(key: keys.Key) -> Key:
    return Key(**_fields(key))


def _shown(shown: key_services.Shown) -> ShownKey:
    return ShownKey(**_fields(shown.key), secret=shown.secret)

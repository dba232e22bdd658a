"""`/api/v1/key` and `/api/v1/keys`: keys of the caller's tenant; a limit in USD is the key's budget."""

from collections.abc import AsyncIterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import fastapi
import pydantic

from api import auth, bodies, forms, moments, parts, routing
from api.openrouter import key_answers
from shared import clock, errors
from shared.domain import budgets, keys, requests, tenants, usage
from shared.services import budgets as budget_services
from shared.services import keys as key_services
from shared.services import usage as usage_services

# Checked as our own routes: the answer, which shows the secret once, is kept with its Idempotency-Key.
router = fastapi.APIRouter(prefix="/api/v1", route_class=routing.CheckedRoute, include_in_schema=False)

PAGE_KEYS = 100
DEAREST_USD = 10**9
_NEUTRAL = {"creator_user_id": (), "external": (), "include_byok_in_limit": (False,)}
_SCOPES = frozenset({keys.Scope.SUBMIT, keys.Scope.READ})


class _Reset(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


_PERIODS = {key_answers.RESETS[period]: period for period in key_answers.RESETS}
_Usd = Annotated[float, pydantic.Field(ge=0, le=DEAREST_USD, strict=False)]
_LooseReset = Annotated[_Reset, pydantic.Field(strict=False)]


class _Change(requests.Strict):
    name: Annotated[str, pydantic.Field(min_length=1, max_length=100)] = ""
    disabled: bool = False
    limit: _Usd | None = None
    limit_reset: _LooseReset | None = None
    workspace_id: str | None = None


class _New(requests.Strict):
    name: Annotated[str, pydantic.Field(min_length=1, max_length=100)]
    limit: _Usd | None = None
    limit_reset: _LooseReset | None = None
    expires_at: Annotated[moments.Moment, pydantic.Field(strict=False)] | None = None
    workspace_id: str | None = None


@router.get("/key")
async def current(caller: auth.AnyCaller, given: parts.Given) -> dict[str, Any]:
    """The key that was sent, and the budgets it must keep to."""
    now = clock.now()
    is_row = caller.key_id != tenants.ADMIN_KEY_ID
    key = await key_services.get(given.db, caller.tenant_id, caller.key_id) if is_row else None
    every = await budget_services.of_key(given.db, caller.tenant_id, caller.key_id)
    spent = await usage_services.of_keys(given.db, caller.tenant_id, now)
    own = [budget for budget in every if budget.key_id is not None]
    account = key_answers.Account(spent.get(caller.key_id, usage.Spent()), own)
    return {"data": key_answers.own(caller, key, account, every, now)}


@router.get("/keys")
async def list_keys(
    caller: auth.Admin,
    given: parts.Given,
    offset: Annotated[int, fastapi.Query(ge=0)] = 0,
    workspace_id: str | None = None,
    *,
    include_disabled: bool = False,
    include_expired: bool = False,
) -> dict[str, Any]:
    """Up to 100 keys of a tenant, oldest first; those that open nothing only if asked for."""
    now, tenant_id = clock.now(), _tenant(caller, workspace_id)
    data: list[dict[str, Any]] = []
    accounts = await _accounts(given, tenant_id, now)
    async for key in _all(given, tenant_id):
        is_expired = key.disabled_at is None and not key.is_usable(now)
        if (is_expired and not include_expired) or (key.disabled_at and not include_disabled):
            continue
        if offset:
            offset -= 1
            continue
        data.append(key_answers.listed(key, accounts(key), now))
        if len(data) == PAGE_KEYS:
            break
    return {"data": data}


async def _all(given: parts.Parts, tenant_id: str) -> AsyncIterator[keys.Key]:
    cursor = None
    while page := await key_services.page(given.db, tenant_id, cursor, PAGE_KEYS):
        for key in page:
            yield key
        cursor = page[-1].id


class _Accounts:
    """What is known of the money of each key of one tenant."""

    def __init__(self, spent: dict[str, usage.Spent], held: list[budgets.Budget]) -> None:
        self._spent, self._held = spent, held

    def __call__(self, key: keys.Key) -> key_answers.Account:
        held = [budget for budget in self._held if budget.key_id == key.id]
        return key_answers.Account(self._spent.get(key.id, usage.Spent()), held)


async def _accounts(given: parts.Parts, tenant_id: str, now: datetime, key_id: str | None = None) -> _Accounts:
    held = await budget_services.of_keys(given.db, tenant_id, key_id)
    return _Accounts(await usage_services.of_keys(given.db, tenant_id, now), held)


@router.post("/keys", status_code=201)
async def create(request: fastapi.Request, caller: auth.Admin, given: parts.Given) -> dict[str, Any]:
    """Make a key that may submit and read; its secret is in this answer and never again."""
    bodies.check_media_type(request)
    wanted = forms.parse(_New, _sent(await request.json()))
    now, cap = clock.now(), _cap(wanted.limit, wanted.limit_reset)
    tenant_id = _tenant(caller, wanted.workspace_id)
    new = key_services.NewKey(tenant_id, wanted.name, keys.Mode.LIVE, _SCOPES, keys.Limits(), wanted.expires_at)
    async with given.db.together():
        shown = await key_services.create(given.db, new, now)
        if cap is not None:
            await budget_services.cap_key(given.db, tenant_id, shown.key.id, cap, now)
    return await _answer(given, shown.key, now) | {"key": shown.secret}


@router.get("/keys/{key_id}")
async def retrieve(key_id: str, caller: auth.Admin, given: parts.Given) -> dict[str, Any]:
    """One key."""
    return await _answer(given, await key_services.get(given.db, caller.within, key_id), clock.now())


@router.patch("/keys/{key_id}")
async def change(request: fastapi.Request, key_id: str, caller: auth.Admin, given: parts.Given) -> dict[str, Any]:
    """Change a key's name or limit, or disable it: all of it, or nothing. A disabled key stays disabled."""
    bodies.check_media_type(request)
    wanted, now = forms.parse(_Change, _sent(await request.json())), clock.now()
    async with given.db.together():
        key = await key_services.get(given.db, caller.within, key_id)
        _check(key, wanted)
        if "name" in wanted.model_fields_set:
            key = await key_services.change(given.db, caller.within, key_id, {"name": wanted.name}, now)
        if wanted.disabled:
            key = await key_services.disable(given.db, caller.within, key_id, now)
        if {"limit", "limit_reset"} & wanted.model_fields_set:
            await budget_services.cap_key(given.db, key.tenant_id, key_id, await _new_cap(given, key, wanted), now)
    return await _answer(given, key, now)


def _check(key: keys.Key, wanted: _Change) -> None:
    if wanted.workspace_id not in (None, key.tenant_id):
        raise errors.UnsupportedValueError("A key stays in its workspace.", param="workspace_id")
    if "disabled" in wanted.model_fields_set and not wanted.disabled and key.disabled_at is not None:
        raise errors.UnsupportedValueError("A disabled key stays disabled; make a new one.", param="disabled")


async def _new_cap(given: parts.Parts, key: keys.Key, wanted: _Change) -> budgets.Cap | None:
    """What is not sent stays as it is."""
    before = budgets.tightest(await budget_services.of_keys(given.db, key.tenant_id, key.id), clock.now())
    limit, reset = wanted.limit, wanted.limit_reset
    if before is not None and "limit" not in wanted.model_fields_set:
        limit = key_answers.usd(before.limit_micros)
    if before is not None and "limit_reset" not in wanted.model_fields_set:
        reset = _Reset(key_answers.RESETS[before.period]) if before.period in key_answers.RESETS else None
    return _cap(limit, reset)


@router.delete("/keys/{key_id}")
async def delete(key_id: str, caller: auth.Admin, given: parts.Given) -> dict[str, Any]:
    """Disable a key for good; its record stays, for usage and audit. May be repeated."""
    await key_services.disable(given.db, caller.within, key_id, clock.now())
    return {"deleted": True}


def _sent(body: dict[str, Any]) -> dict[str, Any]:
    forms.refuse_unless_neutral(body, _NEUTRAL)
    return {name: value for name, value in body.items() if name not in _NEUTRAL}


def _cap(limit: float | None, reset: _Reset | None) -> budgets.Cap | None:
    if limit is None:
        return None
    return budgets.Cap(_PERIODS[reset] if reset else budgets.Period.TOTAL, round(limit * 1_000_000))


def _tenant(caller: auth.Caller, workspace_id: str | None) -> str:
    if workspace_id not in (None, caller.tenant_id) and not caller.is_operator:
        raise errors.NotFoundError("There is no such workspace.", param="workspace_id")
    return workspace_id or caller.tenant_id


async def _answer(given: parts.Parts, key: keys.Key, now: datetime) -> dict[str, Any]:
    accounts = await _accounts(given, key.tenant_id, now, key.id)
    return {"data": key_answers.listed(key, accounts(key), now)}

"""`/api/v1/credits` and `/api/v1/activity`: what the caller's tenant may spend and has spent."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal

import fastapi

from api import auth, parts, routing
from api.openrouter import key_answers
from shared import clock, errors
from shared.domain import budgets, usage
from shared.services import budgets as budget_services
from shared.services import usage as usage_services

router = fastapi.APIRouter(prefix="/api/v1", route_class=routing.DialectRoute, include_in_schema=False)

SHOWN_DAYS = 30
# Their clients need a number: the largest budget there can be.
NO_LIMIT_USD = 10**9
_G = usage.Grouping
_BY = (_G.DAY, _G.MODEL, _G.PROVIDER)


@router.get("/credits")
async def credits_left(caller: auth.Authenticated, given: parts.Given) -> dict[str, Any]:
    """What the tenant has spent, and that with what is left of its tightest budget."""
    now = clock.now()
    spent = await usage_services.of_keys(given.db, caller.tenant_id, now)
    used = sum(one.total_micros for one in spent.values())
    every = await budget_services.of_key(given.db, caller.tenant_id, caller.key_id)
    tightest = budgets.tightest([budget for budget in every if budget.key_id is None], now)
    total = key_answers.usd(used + max(tightest.left_at(now), 0)) if tightest else NO_LIMIT_USD
    return {"data": {"total_credits": total, "total_usage": key_answers.usd(used)}}


@router.get("/activity")
async def activity(
    caller: auth.Authenticated,
    given: parts.Given,
    day: Annotated[date | None, fastapi.Query(alias="date")] = None,
    api_key_hash: Annotated[str | None, fastapi.Query(max_length=64)] = None,
    user_id: str | None = None,
    group_by: Literal["workspace"] | None = None,
    workspace_id: str | None = None,
) -> dict[str, Any]:
    """What was spent on each day by model and provider, today and the 30 days before; newest first."""
    if user_id is not None:
        raise errors.UnsupportedValueError("Users are not told apart here.", param="user_id")
    if workspace_id not in (None, caller.tenant_id):
        raise errors.NotFoundError("There is no such workspace.", param="workspace_id")
    first, last = _days(day)
    wanted = usage.Wanted(_midnight(first), _midnight(last + timedelta(days=1)), _BY, api_key_hash, tokens=True)
    lines = await usage_services.of_tenant(given.db, caller.tenant_id, wanted)
    lines.sort(key=lambda line: line.group[_G.DAY], reverse=True)
    more = {"workspace_id": caller.tenant_id} if group_by else {}
    return {"data": [_answer(line) | more for line in lines]}


def _days(day: date | None) -> tuple[date, date]:
    today = clock.now().date()
    first = today - timedelta(days=SHOWN_DAYS)
    if day is not None and not first <= day <= today:
        raise errors.InvalidRequestError(f"Only the last {SHOWN_DAYS} days are shown.", param="date")
    return day or first, day or today


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _answer(line: usage.Line) -> dict[str, Any]:
    model, provider = line.group[_G.MODEL], line.group[_G.PROVIDER]
    return {
        "date": line.group[_G.DAY],
        "model": model,
        "model_permaslug": model,
        "endpoint_id": f"{provider}/{model}",
        "provider_name": provider,
        "usage": key_answers.usd(line.cost_micros),
        "byok_usage_inference": 0,
        "requests": line.attempts,
        "prompt_tokens": line.input_tokens,
        "completion_tokens": line.output_tokens,
        "reasoning_tokens": 0,
        "cached_tokens": 0,
    }

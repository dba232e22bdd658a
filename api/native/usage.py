"""`GET /v1/usage`: what was spent, by day, key, model, provider and kind."""

from datetime import date, datetime, time, timedelta
from typing import Annotated

import fastapi
import pydantic

from api import auth, errors, moments, parts, routing
from api.native import answers
from shared import clock
from shared import errors as faults
from shared.domain import usage
from shared.services import usage as usage_services

DEFAULT_DAYS = 30
LONGEST_DAYS = 366

_Day = Annotated[moments.Day, pydantic.Field(ge=date(2000, 1, 1), le=date(9000, 1, 1))]

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["usage"])


class Line(pydantic.BaseModel):
    """One group; only what was asked to group by is set."""

    day: date | None = None
    key: str | None = pydantic.Field(None, description="The key's id")
    model: str | None = None
    provider: str | None = None
    kind: str | None = None
    cost: answers.Usd
    cost_micros: int
    jobs: int = pydantic.Field(description="Jobs that ended, and for which a provider was asked")
    attempts: int


class Usage(pydantic.BaseModel):
    """The groups in the order of their values, and all of them together."""

    since: date
    until: date
    data: list[Line]
    cost: answers.Usd
    cost_micros: int


@router.get("/v1/usage", operation_id="get_usage", responses=errors.documented(400, 401))
async def get_usage(
    caller: auth.Authenticated,
    given: parts.Given,
    since: Annotated[_Day | None, fastapi.Query(description="The first UTC day; 30 days ago")] = None,
    until: Annotated[_Day | None, fastapi.Query(description="The last UTC day; today")] = None,
    group_by: Annotated[list[usage.Grouping], fastapi.Query(description="May be repeated")] = [usage.Grouping.DAY],  # noqa: B006 - FastAPI copies it
    key_id: Annotated[str | None, fastapi.Query(max_length=64, description="Only this key's")] = None,
) -> Usage:
    """What your tenant's jobs cost, by the day they ended. Failed jobs that cost nothing count with 0."""
    last = until or clock.now().date()
    first = since or last - timedelta(days=DEFAULT_DAYS - 1)
    if not timedelta(0) <= last - first < timedelta(days=LONGEST_DAYS):
        raise faults.InvalidRequestError(f"Ask for 1 to {LONGEST_DAYS} days.", param="since")
    by = tuple(dict.fromkeys(group_by))
    wanted = usage.Wanted(_midnight(first), _midnight(last + timedelta(days=1)), by, key_id)
    lines = await usage_services.of_tenant(given.db, caller.tenant_id, wanted)
    total = sum(line.cost_micros for line in lines)
    return Usage(since=first, until=last, data=_answers(lines), cost=answers.usd(total), cost_micros=total)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), clock.now().tzinfo)


def _answers(lines: list[usage.Line]) -> list[Line]:
    return [
        Line.model_validate(
            {grouping.value: value for grouping, value in line.group.items()}
            | {"cost": answers.usd(line.cost_micros), "cost_micros": line.cost_micros}
            | {"jobs": line.jobs, "attempts": line.attempts}
        )
        for line in lines
    ]

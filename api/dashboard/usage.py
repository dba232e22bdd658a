"""What was spent, by day, model, key and provider, as bars."""

from datetime import timedelta

import fastapi

from api import auth, parts
from api.dashboard import pages
from api.native import usage as usage_routes
from shared import clock
from shared.domain import tenants, usage
from shared.services import keys as key_services

DAYS = (7, 30, 90)
MOST_KEYS = 1000

router = fastapi.APIRouter(route_class=pages.PageRoute, include_in_schema=False)


@router.get("/usage")
async def show(
    request: fastapi.Request, caller: auth.Authenticated, given: parts.Given, days: int = 30
) -> fastapi.Response:
    """The last days."""
    span = days if days in DAYS else 30
    today = clock.now().date()
    since = today - timedelta(days=span - 1)
    found = {
        by: await usage_routes.get_usage(caller, given, since, today, [by])
        for by in (usage.Grouping.DAY, usage.Grouping.MODEL, usage.Grouping.PROVIDER, usage.Grouping.KEY)
    }
    by_day = {line.day: line for line in found[usage.Grouping.DAY].data}
    shown = [since + timedelta(days=number) for number in range(span)]
    return pages.show(
        request,
        "usage.html",
        days=span,
        choices=DAYS,
        shown=[(day, by_day.get(day)) for day in shown],
        total=found[usage.Grouping.DAY],
        names=await _names(caller, given),
        groups=[
            (by.value.capitalize(), by.value, sorted(found[by].data, key=lambda line: -line.cost_micros))
            for by in (usage.Grouping.MODEL, usage.Grouping.PROVIDER, usage.Grouping.KEY)
        ],
    )


async def _names(caller: auth.Caller, given: parts.Parts) -> dict[str, str]:
    """Keys by the names people gave them."""
    found = await key_services.page(given.db, caller.tenant_id, None, MOST_KEYS)
    return {key.id: key.name for key in found} | {tenants.ADMIN_KEY_ID: "the admin key"}

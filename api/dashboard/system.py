"""How the installation stands: what an operator looks at first."""

import fastapi

from api import auth, parts
from api.dashboard import pages
from shared.domain import endpoints, states
from shared.queues import names
from shared.services import doubts, health, metrics

SHOWN_DOUBTS = 50

router = fastapi.APIRouter(route_class=pages.PageRoute, include_in_schema=False)


@router.get("/system")
async def system(request: fastapi.Request, caller: auth.Operator, given: parts.Given) -> fastapi.Response:
    """Parts, queues, the oldest queued job, workers, breakers, keys that are held back, and what is in doubt."""
    report: health.Report = await given.health.report()
    seen = await metrics.snapshot(given.db)
    return pages.show(
        request,
        "system.html",
        report=report,
        seen=seen,
        kinds=list(states.Kind),
        queues=list(names.Queue),
        steps=[states.Step.SUBMIT, states.Step.POLL, states.Step.COLLECT],
        asked=sorted(given.watch.current.health.items(), key=_worst_first),
        holds=given.watch.current.holds,
        mine=caller.tenant_id,
        active=states.ACTIVE,
        doubts=await doubts.newest(given.db, SHOWN_DOUBTS),
    )


def _worst_first(item: tuple[str, endpoints.Health]) -> tuple[bool, float, str]:
    name, health = item
    rate = health.success_rate
    return health.breaker is endpoints.Breaker.CLOSED, 1.0 if rate is None else rate, name

"""`/livez` and `/readyz`, for whoever starts and balances us. Public."""

from typing import Any, Literal

import fastapi
import pydantic

from api import parts, routing

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["operations"])


class Alive(pydantic.BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(pydantic.BaseModel):
    """`ok`; `degraded`: jobs are taken, but something else is away; `unavailable`: jobs cannot be taken."""

    status: Literal["ok", "degraded", "unavailable"] = pydantic.Field(examples=["ok"])
    degraded: list[str] = pydantic.Field(description="The parts that do not answer", examples=[["redis"]])


_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": Ready, "description": "The database does not answer"}}


@router.head("/livez", include_in_schema=False)
@router.get("/livez", operation_id="livez")
async def livez() -> Alive:
    """Whether the process is alive. Looks at nothing else: restarting it would mend nothing else."""
    return Alive()


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", operation_id="readyz", responses=_NOT_READY)
async def readyz(given: parts.Given, response: fastapi.Response) -> Ready:
    """Whether requests should be sent here: the database answers. Checked at most once a second."""
    report = await given.health.report()
    if not report.ready:
        response.status_code = 503
        return Ready(status="unavailable", degraded=report.degraded)
    return Ready(status="degraded" if report.degraded else "ok", degraded=report.degraded)

"""`POST /v1/routes/preview`: whom a request would be sent to, without running it."""

import fastapi
import pydantic

from api import auth, errors, parts, routing
from api.native import decisions, previews
from shared.domain import filters
from shared.services import estimates

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["models"])


class Step(pydantic.BaseModel):
    """One filter: how many endpoints it took out, and how many went on."""

    filter: filters.Filter
    removed: int
    left: int


class Nearest(pydantic.BaseModel):
    """The endpoint that misses by least, and what to change."""

    endpoint: str
    filters: list[filters.Filter]
    hint: str = pydantic.Field(examples=["sandbox/video@sandbox could serve it: leave out provider.zdr."])


class Route(pydantic.BaseModel):
    """The candidates in the order they would be asked, the likeliest first: the lots of a job are drawn by its id."""

    candidates: list[decisions.Place]
    excluded: list[decisions.Excluded]
    endpoints: int = pydantic.Field(description="How many endpoints the models asked for have")
    funnel: list[Step] = pydantic.Field(description="What the filters took out, in their order")
    nearest: Nearest | None = pydantic.Field(description="Only when there is no candidate")


@router.post("/v1/routes/preview", operation_id="preview_route", responses=errors.documented(400, 401, 413, 415))
async def preview_route(asked: previews.LookedAt, caller: auth.Reader, given: parts.Given) -> Route:
    """Whom the request would be sent to, and why nobody else. Stores nothing and costs nothing."""
    catalog = given.catalog
    found = estimates.preview(catalog, previews.reachable(given, caller, catalog), given.watch.current, *asked)
    nearest = found.funnel.nearest
    return Route(
        candidates=[decisions.place(c.name, c.why, c.estimate_micros, c.dropped) for c in found.route.candidates],
        excluded=decisions.excluded(found.route.excluded),
        endpoints=found.funnel.endpoints,
        funnel=[Step(filter=step.filter, removed=step.removed, left=step.left) for step in found.funnel.steps],
        nearest=Nearest(endpoint=nearest.endpoint, filters=list(nearest.filters), hint=nearest.hint)
        if nearest
        else None,
    )

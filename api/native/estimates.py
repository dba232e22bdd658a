"""`POST /v1/estimates`: what a request would cost and how long it would take."""

import fastapi
import pydantic

from api import auth, errors, parts, routing
from api.native import money, previews
from shared.domain import states
from shared.services import estimates

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["models"])


class Amount(pydantic.BaseModel):
    """A price."""

    cost: money.Usd
    cost_micros: money.Micros


class Price(pydantic.BaseModel):
    """At the cheapest candidate, at the likeliest, and at the dearest: the last is what is reserved."""

    least: Amount
    expected: Amount
    most: Amount


class Candidate(pydantic.BaseModel):
    """One endpoint that may serve it."""

    endpoint: str = pydantic.Field(examples=["sandbox/video@sandbox"])
    cost: money.Usd
    cost_micros: money.Micros
    seconds: float = pydantic.Field(description="How long it takes: measured lately, else what the catalog says")
    p95_seconds: float | None = pydantic.Field(
        description="All but one in twenty took less; null: too few were measured"
    )


class Estimate(pydantic.BaseModel):
    """What to expect. Waiting for your turn is not in the seconds."""

    kind: states.Kind
    price: Price
    seconds: float = pydantic.Field(description="At the likeliest candidate")
    candidates: list[Candidate]


@router.post("/v1/estimates", operation_id="estimate", responses=errors.documented(400, 401, 404, 413, 415))
async def estimate(asked: previews.LookedAt, caller: auth.Reader, given: parts.Given) -> Estimate:
    """What the request would cost and about how long it would take. Stores nothing and costs nothing. Whatever would
    be refused on submitting is refused here with the same error.
    """
    kind, request = asked
    catalog = given.catalog
    found = estimates.estimate(catalog, previews.reachable(given, caller, catalog), given.watch.current, kind, request)
    return Estimate(
        kind=kind,
        price=Price(
            least=_amount(found.least_micros),
            expected=_amount(found.candidates[0].candidate.estimate_micros),
            most=_amount(found.most_micros),
        ),
        seconds=found.candidates[0].seconds,
        candidates=[_candidate(each) for each in found.candidates],
    )


def _amount(micros: int) -> Amount:
    return Amount(cost=money.usd(micros), cost_micros=micros)


def _candidate(each: estimates.Expected) -> Candidate:
    micros = each.candidate.estimate_micros
    return Candidate(
        endpoint=each.candidate.name,
        cost=money.usd(micros),
        cost_micros=micros,
        seconds=each.seconds,
        p95_seconds=each.p95_seconds,
    )

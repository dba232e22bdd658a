"""The router's decisions as callers see them."""

import pydantic

from api.native import money
from shared.domain import decisions, filters, rankings, routing


class Place(pydantic.BaseModel):
    """An endpoint that may be asked."""

    endpoint: str = pydantic.Field(examples=["sandbox/video@sandbox"])
    why: rankings.Why = pydantic.Field(
        description="Why it stands here: your order or sort; `sticky`: it served the job this is a rerun of; `weight`: "
        "by lot, the cheaper and better the likelier; `explored`: now and then somebody else is tried; `probe`: it was "
        "out and is tried again; `outage`: only if nobody else is left"
    )
    cost: money.Usd
    cost_micros: money.Micros
    dropped: list[str] = pydantic.Field(description="Parameters it does not take: they would be left out")


class Excluded(pydantic.BaseModel):
    """An endpoint that may not be asked, and the filter that took it out."""

    endpoint: str
    reason: filters.Filter


class Decision(pydantic.BaseModel):
    """Whom one attempt asked, and out of whom."""

    attempt: int
    endpoint: str
    candidates: list[Place]
    excluded: list[Excluded]


def decision(made: decisions.Decision) -> Decision:
    """A decision that was kept with a job."""
    return Decision(
        attempt=made.attempt,
        endpoint=made.endpoint,
        candidates=[place(each.endpoint, each.why, each.estimate_micros, each.dropped) for each in made.candidates],
        excluded=excluded(made.excluded),
    )


def place(endpoint: str, why: rankings.Why, micros: int, dropped: tuple[str, ...]) -> Place:
    """One candidate."""
    return Place(endpoint=endpoint, why=why, cost=money.usd(micros), cost_micros=micros, dropped=list(dropped))


def excluded(items: tuple[routing.Excluded, ...]) -> list[Excluded]:
    """Those left out."""
    return [Excluded(endpoint=item.endpoint, reason=item.reason) for item in items]

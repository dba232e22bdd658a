"""The router's decision as it is kept beside a job: compact, so that every attempt may have its own. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.domain import filters, rankings, routing

MOST_CANDIDATES = 20
MOST_EXCLUDED = 40
# A job that is throttled a hundred times need not say a hundred times why.
MOST_DECISIONS = 10


@dataclass(frozen=True, slots=True)
class Place:
    """One candidate: its price at the time (micro-dollars), why it stood there, what it would not pass on."""

    endpoint: str
    why: rankings.Why
    estimate_micros: int
    dropped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """Whom attempt `attempt` asked, out of whom, and who could not be asked."""

    attempt: int
    endpoint: str
    candidates: tuple[Place, ...]
    excluded: tuple[routing.Excluded, ...]


def store(route: routing.Route, chosen: routing.Candidate, attempt: int) -> dict[str, Any]:
    """The decision as JSON; `read` reads it back."""
    return {
        "attempt": attempt,
        "endpoint": chosen.name,
        "candidates": [
            [c.name, c.why, c.estimate_micros, *([list(c.dropped)] if c.dropped else [])]
            for c in route.candidates[:MOST_CANDIDATES]
        ],
        "excluded": [[item.endpoint, item.reason] for item in route.excluded[:MOST_EXCLUDED]],
    }


def read(stored: Mapping[str, Any]) -> Decision:
    """A stored decision."""
    return Decision(
        attempt=stored["attempt"],
        endpoint=stored["endpoint"],
        candidates=tuple(_place(*item) for item in stored["candidates"]),
        excluded=tuple(routing.Excluded(name, filters.Filter(reason)) for name, reason in stored["excluded"]),
    )


def _place(endpoint: str, why: str, micros: int, dropped: tuple[str, ...] = ()) -> Place:
    return Place(endpoint, rankings.Why(why), micros, tuple(dropped))

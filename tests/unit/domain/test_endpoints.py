"""Breakers and limits that follow from what was measured."""

from datetime import datetime, timedelta

import pytest

from shared.domain import endpoints, models
from tests.unit.domain import build

LIMITS = models.Limits(concurrency=10, requests_per_minute=600, stuck_seconds=1800)


def ago(seconds: float) -> datetime:
    return build.NOW - timedelta(seconds=seconds)


BREAKERS = [
    ("nothing known", endpoints.Run(), "closed"),
    ("a few failures", endpoints.Run(9, 9, 4, ago(1)), "closed"),
    ("a run of failures", endpoints.Run(5, 5, 5, ago(1)), "open"),
    ("half of many", endpoints.Run(10, 5, 1, ago(14)), "open"),
    ("less than half", endpoints.Run(20, 9, 1, ago(1)), "closed"),
    ("after the pause", endpoints.Run(5, 5, 5, ago(15)), "half_open"),
    ("an ask from before the pause succeeded", endpoints.Run(10, 9, 0, ago(20), ago(30)), "half_open"),
    ("the probe succeeded", endpoints.Run(10, 9, 0, ago(20), ago(3)), "closed"),
    ("the probe failed", endpoints.Run(1, 1, 6, ago(2), ago(300)), "open"),
]


@pytest.mark.parametrize(("run", "state"), [row[1:] for row in BREAKERS], ids=[row[0] for row in BREAKERS])
def test_a_breaker(run: endpoints.Run, state: str) -> None:
    assert endpoints.breaker(run, build.NOW) == state


@pytest.mark.parametrize(
    ("succeeded", "p95", "seconds"),
    [(19, 100.0, 1800), (20, 100.0, 300), (20, 1.0, 60), (20, 5000.0, 1800), (500, None, 1800)],
)
def test_stuck_is_three_times_what_is_usual_within_bounds(succeeded: int, p95: float | None, seconds: float) -> None:
    health = endpoints.Health(succeeded=succeeded, p95_seconds=p95)
    assert endpoints.stuck_seconds(LIMITS, 10.0, health) == seconds

"""Rates: never more than the limit in any minute, evenly refilled; and who is turned away when."""

import itertools

import hypothesis
import pytest
from hypothesis import strategies as st

from shared.domain import limits


@hypothesis.given(st.integers(1, 40), st.lists(st.floats(0, 7), min_size=1, max_size=300))
def test_a_bucket_gives_its_limit_and_what_was_refilled_and_no_more(limit: int, pauses: list[float]) -> None:
    full_at, allowed = 0.0, []
    for now in itertools.accumulate(pauses):
        verdict, full_at = limits.judge(limit, full_at, now)
        assert 0 <= verdict.remaining < limit
        if verdict.allowed:
            allowed.append(now)
        else:
            assert verdict.retry_seconds > 0
            again, _ = limits.judge(limit, full_at, now + verdict.retry_seconds + 1e-3)
            assert again.allowed
    for place, start in enumerate(allowed):
        within = [moment for moment in allowed[place:] if moment - start < limits.WINDOW_SECONDS]
        refilled = (within[-1] - start) * limit / limits.WINDOW_SECONDS
        assert len(within) <= limit + refilled + 1e-6


def test_the_headers_are_those_of_the_draft() -> None:
    verdict, _ = limits.judge(60, 0.0, 1000.0)
    assert verdict.headers() == {
        "RateLimit-Policy": '"requests";q=60;w=60',
        "RateLimit": '"requests";r=59;t=1',
        "X-RateLimit-Limit": "60",
        "X-RateLimit-Remaining": "59",
        "X-RateLimit-Reset": "1",
    }


@pytest.mark.parametrize(
    ("length", "age", "max_length", "max_age", "lowest"),
    [
        (99, 0, 100, 0, 0),
        (100, 0, 100, 0, 1),
        (110, 0, 100, 0, 2),
        (190, 0, 100, 0, 10),
        (10**9, 0, 100, 0, 10),
        (10**9, 10**9, 0, 0, 0),
        (0, 90, 0, 60, 6),
        (100, 90, 100, 60, 6),
    ],
)
def test_low_priorities_go_first(length: int, age: int, max_length: int, max_age: int, lowest: int) -> None:
    assert limits.lowest_admitted(length, age, max_length, max_age) == lowest

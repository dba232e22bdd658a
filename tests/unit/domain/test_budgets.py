"""The windows of budgets: they meet without a gap, at UTC midnight, weeks on Monday."""

from datetime import UTC, datetime, timedelta, timezone

import hypothesis
import pytest
from hypothesis import strategies as st

from shared.domain import budgets

Period = budgets.Period
MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis


@hypothesis.given(MOMENTS, st.sampled_from([Period.DAY, Period.WEEK, Period.MONTH]))
def test_windows_meet(now: datetime, period: Period) -> None:
    start, end = budgets.window_at(period, now), budgets.resets_at(period, now)
    assert end is not None
    assert start <= now < end
    assert budgets.window_at(period, end) == end
    assert budgets.window_at(period, end - timedelta(microseconds=1)) == start
    assert (start.hour, start.minute, start.second, start.microsecond) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        (Period.DAY, datetime(2028, 2, 29, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
        (Period.WEEK, datetime(2028, 2, 28, tzinfo=UTC), datetime(2028, 3, 6, tzinfo=UTC)),
        (Period.MONTH, datetime(2028, 2, 1, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
    ],
)
def test_a_leap_day_elsewhere(period: Period, start: datetime, end: datetime) -> None:
    elsewhere = datetime(2028, 3, 1, 3, tzinfo=timezone(timedelta(hours=9)))  # 29 February, 18:00 UTC
    assert (budgets.window_at(period, elsewhere), budgets.resets_at(period, elsewhere)) == (start, end)


def test_the_whole_never_resets() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert budgets.resets_at(Period.TOTAL, now) is None
    assert budgets.window_at(Period.TOTAL, now) < now


@pytest.mark.parametrize(
    ("spent", "limit", "percent"),
    [
        *((0, 100, 0), (49, 100, 0), (50, 100, 50), (79, 100, 50), (80, 100, 80), (99, 100, 80), (100, 100, 100)),
        *((300, 100, 100), (499_999, 1_000_000, 0), (1, 2, 50), (0, 0, 100)),
    ],
)
def test_thresholds(spent: int, limit: int, percent: int) -> None:
    assert budgets.threshold(spent, limit) == percent

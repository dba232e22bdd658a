"""Budgets: how much may be spent in which stretch of time. Pure rules, micro-dollars, UTC midnights."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

THRESHOLDS = (50, 80, 100)
_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


class Period(StrEnum):
    """When a budget begins anew: at UTC midnight, weeks on Monday; TOTAL never does."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Budget:
    """A row of `budgets`. `key_id` None: the whole tenant's. `held_micros` is reserved by jobs that run."""

    id: str
    tenant_id: str
    key_id: str | None
    period: Period
    limit_micros: int
    held_micros: int
    spent_micros: int
    window_at: datetime
    notified_percent: int
    created_at: datetime

    def spent_at(self, now: datetime) -> int:
        """What is spent in the window of `now`: nothing, if the row is still of an earlier one."""
        return self.spent_micros if self.window_at >= window_at(self.period, now) else 0

    def left_at(self, now: datetime) -> int:
        """What may still be reserved; negative when a job cost more than was held for it."""
        return self.limit_micros - self.held_micros - self.spent_at(now)


@dataclass(frozen=True, slots=True)
class Cap:
    """How much may be spent in each period."""

    period: Period
    limit_micros: int


@dataclass(frozen=True, slots=True)
class Sum:
    """What jobs that end together give back to a budget, and what they spent of it."""

    held_micros: int
    spent_micros: int

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.held_micros + other.held_micros, self.spent_micros + other.spent_micros)


def tightest(held: Iterable[Budget], now: datetime) -> Budget | None:
    """The budget with the least left; None if there is none."""
    return min(held, key=lambda budget: (budget.left_at(now), budget.id), default=None)


def window_at(period: Period, now: datetime) -> datetime:
    """When the window that holds `now` began."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match period:
        case Period.DAY:
            return midnight
        case Period.WEEK:
            return midnight - timedelta(days=midnight.weekday())
        case Period.MONTH:
            return midnight.replace(day=1)
        case Period.TOTAL:
            return _BEGINNING


def resets_at(period: Period, now: datetime) -> datetime | None:
    """When the next window begins; None: never."""
    start = window_at(period, now)
    match period:
        case Period.DAY:
            return start + timedelta(days=1)
        case Period.WEEK:
            return start + timedelta(weeks=1)
        case Period.MONTH:
            return (start + timedelta(days=32)).replace(day=1)
        case Period.TOTAL:
            return None


def threshold(spent_micros: int, limit_micros: int) -> int:
    """The highest threshold (percent) that this spending has reached; 0: none."""
    return max((percent for percent in THRESHOLDS if spent_micros * 100 >= limit_micros * percent), default=0)

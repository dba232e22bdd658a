"""What was used: charges of the ledger, added up."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Grouping(StrEnum):
    """By what usage may be split. Days are UTC."""

    DAY = "day"
    KEY = "key"
    MODEL = "model"
    PROVIDER = "provider"
    KIND = "kind"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Charges since `since_at` and before `until_at`, split by `by`. `tokens`: count them, too, which takes longer."""

    since_at: datetime
    until_at: datetime
    by: tuple[Grouping, ...]
    key_id: str | None = None
    tokens: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One group: its values by grouping, the money, and how many jobs and attempts it was for. Tokens are those that
    providers told us of, for attempts that are still kept; rows of batches keep none.
    """

    group: dict[Grouping, str]
    cost_micros: int
    jobs: int
    attempts: int
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Spent:
    """Micro-dollars: in all, and in the running day, week and month (UTC)."""

    total_micros: int = 0
    day_micros: int = 0
    week_micros: int = 0
    month_micros: int = 0

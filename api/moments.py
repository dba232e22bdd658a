"""Times and days as callers send them: written out, times with a zone, kept in UTC."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

import pydantic

# pydantic would take a bare number for seconds since 1970; a caller who sends one means something else.
_NUMBER = re.compile(r"[+-]?\d*\.?\d*")


def _written_out(value: Any) -> Any:  # noqa: ANN401 - whatever was sent
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value.strip())):
        raise ValueError("write it out, such as 2026-01-31 or 2026-01-31T12:00:00Z")
    return value


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # the last hours of the year 9999, in a zone west of here
        raise ValueError("this time is out of range") from None


Moment = Annotated[pydantic.AwareDatetime, pydantic.BeforeValidator(_written_out), pydantic.AfterValidator(_in_utc)]
Day = Annotated[date, pydantic.BeforeValidator(_written_out)]

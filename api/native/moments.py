"""Times as callers send them: with a zone, kept in UTC."""

from datetime import UTC, datetime
from typing import Annotated

import pydantic


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # the last hours of the year 9999, in a zone west of here
        raise ValueError("this time is out of range") from None


Moment = Annotated[pydantic.AwareDatetime, pydantic.AfterValidator(_in_utc)]

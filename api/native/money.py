"""Money as callers see it: exact decimal dollars, and the same as an integer."""

from typing import Annotated

import pydantic

Usd = Annotated[str, pydantic.Field(description="US dollars, exact", examples=["0.050000"])]
Micros = Annotated[int, pydantic.Field(description="The same in millionths of a dollar", examples=[50000])]


def usd(micros: int) -> str:
    """Micro-dollars as a decimal string, exact: `0.050000`."""
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"

"""Rows of a batch as Postgres' COPY reads them: written as text while the file is read, and passed on as they are.

A million tuples encoded by the driver, value by value, take longer than Postgres takes to store them.
"""

import io
from collections.abc import Sequence
from typing import Any

import asyncpg
import sqlalchemy as sa

from shared.db import engine
from shared.db.tables import batch_rows as tables
from shared.domain import sheets

COLUMNS = (
    "batch_number",
    "number",
    "line",
    "status",
    "cells",
    "custom_id",
    "error_code",
    "error_column",
    "error_message",
)
# A sort or a sweep over a million rows takes longer than the usual 30 s.
LONG_SECONDS = 600
_NULL = "\\N"
# No cell holds it: Postgres could not store it.
_BETWEEN = "\0"


class DoubledError(Exception):
    """One of the rows is there already."""


async def copy_in(connection: engine.Connection, lines: bytes) -> None:
    """Insert rows, lines of `line`, in this transaction. Raises DoubledError."""
    # The transaction begins with the first statement that SQLAlchemy sends itself; without one, the driver would commit
    # the rows by themselves.
    await connection.execute(sa.text(f"SET LOCAL statement_timeout = '{LONG_SECONDS}s'"))
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    try:
        # Closed, it lets go of megabytes that the driver's frames, which refer to each other, would keep for a while.
        with io.BytesIO(lines) as source:
            await driver.copy_to_table(tables.batch_rows.name, source=source, columns=COLUMNS, timeout=LONG_SECONDS)
    except asyncpg.UniqueViolationError as error:
        raise DoubledError from error


def line(
    batch_number: int,
    number: int,
    line_number: int,
    cells: Sequence[str],
    custom_id: str | None = None,
    fault: sheets.RowFault | None = None,
) -> str:
    """One row."""
    own = _NULL if custom_id is None else _text(custom_id)
    if fault is None:
        return f"{batch_number}\t{number}\t{line_number}\tqueued\t{_array(cells)}\t{own}\t\\N\t\\N\t\\N\n"
    start = f"{batch_number}\t{number}\t{line_number}\tinvalid\t"
    column = _NULL if fault.column is None else _text(fault.column)
    return f"{start}{_array(cells)}\t{own}\t{_text(fault.code)}\t{column}\t{_text(fault.message)}\n"


def _array(cells: Sequence[str]) -> str:
    if not cells:
        return "{}"
    # An array inside a line: what is quoted for the one is quoted again for the other.
    joined = _BETWEEN.join(cells)
    if "\\" in joined:
        joined = joined.replace("\\", "\\\\\\\\")
    if '"' in joined:
        joined = joined.replace('"', '\\\\"')
    return '{"' + _breaks(joined).replace(_BETWEEN, '","') + '"}'


def _text(value: str) -> str:
    return _breaks(value.replace("\\", "\\\\"))


def _breaks(value: str) -> str:
    # A string without them, as most are, is looked through faster than it is replaced in.
    if "\n" in value or "\r" in value or "\t" in value:
        return value.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return value

"""Rows of a batch as Postgres' COPY reads them: written as text while the file is read, and passed on as they are.

A million tuples encoded by the driver, value by value, take longer than Postgres takes to store them.
"""

import io
from collections.abc import Sequence
from typing import Any

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


async def copy_in(connection: engine.Connection, lines: bytes) -> None:
    """Insert rows, lines of `line`, in this transaction."""
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    await driver.copy_to_table(tables.batch_rows.name, source=io.BytesIO(lines), columns=COLUMNS, timeout=LONG_SECONDS)


def line(batch_number: int, item: sheets.Record, custom_id: str | None, fault: sheets.RowFault | None) -> str:
    """One row."""
    own = _NULL if custom_id is None else _text(custom_id)
    start = f"{batch_number}\t{item.number}\t{item.line}\t"
    if fault is None:
        return f"{start}queued\t{_array(item.cells)}\t{own}\t{_NULL}\t{_NULL}\t{_NULL}\n"
    column = _NULL if fault.column is None else _text(fault.column)
    return f"{start}invalid\t{_array(item.cells)}\t{own}\t{_text(fault.code)}\t{column}\t{_text(fault.message)}\n"


def _array(cells: Sequence[str]) -> str:
    if not cells:
        return "{}"
    # An array inside a line: what is quoted for the one is quoted again for the other.
    joined = _BETWEEN.join(cells).replace("\\", "\\\\").replace('"', '\\"')
    return '{"' + _text(joined).replace(_BETWEEN, '","') + '"}'


def _text(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")

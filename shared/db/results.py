"""Results of a batch as Postgres itself writes them: a page at a time, so that no session waits for a slow reader."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import sqlalchemy as sa

from shared.db import batch_rows as row_rows
from shared.db import copies, engine
from shared.db.tables import batch_rows as tables
from shared.domain import batch_rows, batches

_R = tables.batch_rows
Sink = Callable[[bytes], Awaitable[None]]

# A spreadsheet takes a cell that begins like this for a formula (CWE-1236), unless it is a plain number.
_DANGEROUS = "^[=+\\-@\\t\\r\\n＝＋－＠]"  # noqa: RUF001 - full-width signs count too
_NUMBER = "^[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?$"


async def csv_page(
    connection: engine.Connection, batch: batches.Batch, columns: Sequence[str], where: "Where", sink: Sink
) -> None:
    """Write the rows of a page as CSV without header into `sink`. `columns` are SQL expressions of this module."""
    query = (
        f"SELECT {', '.join(columns)} FROM batch_rows WHERE batch_number = $1 AND number > $2 AND number <= $3 "  # noqa: S608 - expressions are made here, values are parameters
        "AND (cardinality($4::text[]) = 0 OR status = ANY($4::text[])) ORDER BY number"
    )
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    statuses = [str(status) for status in where.statuses]
    await driver.copy_from_query(
        query, batch.number, where.after, where.last, statuses, output=sink, format="csv", timeout=copies.LONG_SECONDS
    )


class Where:
    """The rows of one page: numbers above `after`, up to `last`, with one of `statuses` (none: any)."""

    def __init__(self, after: int, last: int, statuses: Sequence[batch_rows.RowStatus]) -> None:
        self.after = after
        self.last = last
        self.statuses = statuses


async def rows_page(connection: engine.Connection, batch: batches.Batch, where: Where) -> list[batch_rows.Row]:
    """The rows of a page, in the order of the input."""
    query = sa.select(_R).where(_R.c.batch_number == batch.number, _R.c.number > where.after, _R.c.number <= where.last)
    if where.statuses:
        query = query.where(_R.c.status.in_([str(status) for status in where.statuses]))
    return [row_rows.row_of(row) for row in await connection.execute(query.order_by(_R.c.number))]


async def last_number(connection: engine.Connection, batch: batches.Batch) -> int:
    """The number of the last row there is."""
    query = sa.select(sa.func.coalesce(sa.func.max(_R.c.number), 0)).where(_R.c.batch_number == batch.number)
    number: int = (await connection.execute(query)).scalar_one()
    return number


def cell(place: int, *, safe: bool) -> str:
    """The input's cell at this place, from 0."""
    return _shown(f"cells[{place + 1}]", safe=safe)


def result_columns(base_url: str, *, safe: bool) -> list[str]:
    """`status, output, output_url, error, model, cost_usd` of a row."""
    url, done = _quoted(base_url), "status = 'completed' AND job_id IS NOT NULL"
    return [
        "status",
        _shown("output", safe=safe),
        f"CASE WHEN {done} THEN {url} || '/v1/jobs/' || job_id || '/outputs/0' END",
        _shown("error_code || ': ' || error_message", safe=safe),
        "model",
        "(cost_micros / 1000000) || '.' || lpad((cost_micros % 1000000)::text, 6, '0')",
    ]


def error_columns(*, safe: bool) -> list[str]:
    """`line, _error_column, _error_code, _error` of a row that failed."""
    return ["line", _shown("error_column", safe=safe), "error_code", _shown("error_message", safe=safe)]


def spread(name: str, *, safe: bool) -> str:
    """One field of a JSON answer."""
    # An escaped NUL is JSON, but no text Postgres can make.
    readable = "status = 'completed' AND strpos(output, '\\u0000') = 0 AND left(ltrim(output), 1) = '{'"
    return _shown(f"(CASE WHEN {readable} THEN output::json ->> {_quoted(name)} END)", safe=safe)


def _shown(expression: str, *, safe: bool) -> str:
    plain = f"nullif({expression}, '')"
    if not safe:
        return plain
    dangerous = f"{expression} ~ '{_DANGEROUS}' AND {expression} !~ '{_NUMBER}'"
    return f"CASE WHEN {dangerous} THEN '''' || ({expression}) ELSE {plain} END"


def _quoted(value: str) -> str:
    """A string literal of SQL; standard_conforming_strings is on in every Postgres we take."""
    return "'" + value.replace("'", "''") + "'"


async def error_groups(connection: engine.Connection, batch: batches.Batch) -> list[dict[str, Any]]:
    """How many rows have which error in which column, the most frequent first; at most 200 groups."""
    count = sa.func.count().label("count")
    query = (
        sa.select(_R.c.status, _R.c.error_code, _R.c.error_column, count)
        .where(_R.c.batch_number == batch.number, _R.c.error_code.is_not(None))
        .group_by(_R.c.status, _R.c.error_code, _R.c.error_column)
        .order_by(count.desc(), _R.c.error_code)
        .limit(200)
    )
    return [dict(row._mapping) for row in await connection.execute(query)]  # noqa: SLF001 - documented accessor


async def faulty(connection: engine.Connection, batch: batches.Batch, after: int, limit: int) -> list[batch_rows.Row]:
    """Rows with an error, in the order of the input, after row `after`."""
    query = (
        sa.select(_R)
        .where(_R.c.batch_number == batch.number, _R.c.error_code.is_not(None), _R.c.number > after)
        .order_by(_R.c.number)
        .limit(limit)
    )
    return [row_rows.row_of(row) for row in await connection.execute(query)]


async def first_rows(connection: engine.Connection, batch: batches.Batch, limit: int) -> list[batch_rows.Row]:
    """The first rows that can be run."""
    query = (
        sa.select(_R)
        .where(_R.c.batch_number == batch.number, _R.c.status != batch_rows.RowStatus.INVALID)
        .order_by(_R.c.number)
        .limit(limit)
    )
    return [row_rows.row_of(row) for row in await connection.execute(query)]


async def row(connection: engine.Connection, batch: batches.Batch, number: int) -> batch_rows.Row | None:
    """One row."""
    found = await connection.execute(sa.select(_R).where(_R.c.batch_number == batch.number, _R.c.number == number))
    one = found.one_or_none()
    return row_rows.row_of(one) if one else None

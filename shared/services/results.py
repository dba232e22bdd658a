"""The results of a batch as a stream of bytes, at any time, in constant memory."""

import csv
import io
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson

from shared import errors
from shared.db import engine
from shared.db import results as result_rows
from shared.domain import batch_rows, batches, openai_lines, openai_results
from shared.services import batches as batch_services
from shared.services import parquet

FIRST_PAGE_ROWS = 500
PAGE_ROWS = 20_000
MEMORY_BYTES = 8 * 1024 * 1024
CHUNK_BYTES = 256 * 1024
MOST_FILE_BYTES = 64 * 1024**3


class Form(StrEnum):
    """The forms results come in."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    OPENAI = "openai.jsonl"


MEDIA_TYPES = {
    Form.CSV: "text/csv; charset=utf-8",
    Form.JSONL: "application/jsonl",
    Form.PARQUET: "application/vnd.apache.parquet",
    Form.OPENAI: "application/jsonl",
}
OWN_COLUMNS = ("status", "output", "output_url", "error", "model", "cost_usd")
ERROR_COLUMNS = ("_line", "_error_column", "_error_code", "_error")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows, in which form. `safe` keeps spreadsheets from running cells; `spread` adds a column for each field
    of the response schema; `errors` are the input's rows that failed, to be mended and sent again.
    """

    form: Form = Form.CSV
    statuses: tuple[batch_rows.RowStatus, ...] = ()
    safe: bool = True
    spread: bool = False
    errors: bool = False


def files_of(batch: batches.Batch) -> list[Wanted]:
    """What is written to the bucket when a batch closes; nothing if it was cancelled before its file was read."""
    if batch.layout is None:
        return []
    made = [Wanted(Form.CSV), Wanted(Form.JSONL)]
    bad = batch.counts.invalid + batch.counts.failed
    faulty = (batch_rows.RowStatus.INVALID, batch_rows.RowStatus.FAILED)
    if bad:
        made.append(Wanted(Form.CSV, faulty, errors=True))
    return made + _openai_files(batch)


def _openai_files(batch: batches.Batch) -> list[Wanted]:
    """For a file of OpenAI's lines, the answers as OpenAI gives them back: the good ones, and all others."""
    if batch.layout is None or not openai_lines.are_lines(batch.layout):
        return []
    counts = batch.counts
    good = [Wanted(Form.OPENAI, openai_results.GOOD)] if counts.completed else []
    others = [Wanted(Form.OPENAI, openai_results.OTHERS, errors=True)] if counts.total > counts.completed else []
    return good + others


def name_of(wanted: Wanted) -> str:
    """The name of the file."""
    return f"{'errors' if wanted.errors else 'results'}.{wanted.form}"


def kept_file(batch: batches.Batch, wanted: Wanted) -> batches.ResultFile:
    """What is served once the rows are gone: the file that was written when the batch closed. Raises GoneError for
    what no file has.
    """
    name = name_of(wanted)
    found = next((file for file in batch.files if file.name == name), None)
    if found is None or wanted not in files_of(batch):
        batch_services.must_be_kept(batch)
        raise errors.GoneError
    return found


async def stream(db: engine.Database, batch: batches.Batch, wanted: Wanted, base_url: str) -> AsyncIterator[bytes]:
    """The results in the order of the input. Between pages, no session is open. Raises ConflictError for a batch
    whose file was not read yet, and what `parquet.Writer` raises.
    """
    if batch.layout is None:
        raise errors.ConflictError("The batch's file has not been read; there are no rows yet.")
    async with db.transaction() as connection:
        last = await result_rows.last_number(connection, batch)
    pages = {Form.CSV: _csv, Form.JSONL: _jsonl, Form.PARQUET: _parquet, Form.OPENAI: _openai}[wanted.form]
    async for chunk in pages(db, batch, wanted, base_url, last):
        yield chunk


def _pages(last: int) -> Iterator[tuple[int, int]]:
    """From row to row: a small page first, so that the first byte comes at once."""
    after, size = 0, FIRST_PAGE_ROWS
    while after < last:
        yield after, min(after + size, last)
        after, size = after + size, PAGE_ROWS


async def _csv(
    db: engine.Database, batch: batches.Batch, wanted: Wanted, base_url: str, last: int
) -> AsyncIterator[bytes]:
    names, columns = _columns(batch, wanted, base_url)
    yield _header(names, safe=wanted.safe)
    for after, until in _pages(last):
        # Rows may be large: a page is spooled to disk beyond MEMORY_BYTES, and the session is given back.
        with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as spool:

            async def sink(data: bytes, into: tempfile.SpooledTemporaryFile[bytes] = spool) -> None:
                into.write(data)

            async with db.transaction() as connection:
                where = result_rows.Where(after, until, wanted.statuses)
                await result_rows.csv_page(connection, batch, columns, where, sink)
            spool.seek(0)
            while chunk := spool.read(CHUNK_BYTES):
                yield chunk


def _columns(batch: batches.Batch, wanted: Wanted, base_url: str) -> tuple[list[str], list[str]]:
    """The names of the columns, and what Postgres writes into them."""
    inputs = list(batch.layout.columns) if batch.layout else []
    names, columns = list(inputs), [result_rows.cell(place, safe=wanted.safe) for place in range(len(inputs))]
    if wanted.errors:
        return names + _free(ERROR_COLUMNS, inputs), columns + result_rows.error_columns(safe=wanted.safe)
    names += _free(OWN_COLUMNS, inputs)
    columns += result_rows.result_columns(base_url, safe=wanted.safe)
    fields = schema_fields(batch) if wanted.spread else []
    names += _free(fields, names)
    columns += [result_rows.spread(name, safe=wanted.safe) for name in fields]
    return names, columns


def _free(names: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Our names, set apart where the input has a column of the same name."""
    return [f"result_{name}" if name in taken else name for name in names]


def schema_fields(batch: batches.Batch) -> list[str]:
    """The fields of the answers, as the response schema names them."""
    properties = (batch.recipe.response_schema or {}).get("properties")
    return [name for name in properties if "\0" not in name] if isinstance(properties, dict) else []


def _header(names: Sequence[str], *, safe: bool) -> bytes:
    text = io.StringIO()
    shown = [f"'{name}" if safe and name[:1] in "=+-@\t\r\n" else name for name in names]
    csv.writer(text, lineterminator="\n").writerow(shown)
    return text.getvalue().encode()


async def _jsonl(
    db: engine.Database, batch: batches.Batch, wanted: Wanted, base_url: str, last: int
) -> AsyncIterator[bytes]:
    async for rows in _rows(db, batch, wanted, last):
        lines = (orjson.dumps(as_json(batch, row, base_url), option=orjson.OPT_APPEND_NEWLINE) for row in rows)
        yield b"".join(lines)


async def _openai(
    db: engine.Database, batch: batches.Batch, wanted: Wanted, base_url: str, last: int
) -> AsyncIterator[bytes]:
    async for rows in _rows(db, batch, wanted, last):
        lines = (openai_results.line(batch, row, _output_url(row, base_url)) for row in rows)
        yield b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)


async def _parquet(
    db: engine.Database, batch: batches.Batch, wanted: Wanted, base_url: str, last: int
) -> AsyncIterator[bytes]:
    inputs = list(batch.layout.columns) if batch.layout else []
    writer = parquet.Writer([*inputs, *_free(OWN_COLUMNS, inputs)])
    async for rows in _rows(db, batch, wanted, last):
        yield writer.add([(*row.cells, *_own(row, base_url)) for row in rows])
    yield writer.finish()


async def _rows(
    db: engine.Database, batch: batches.Batch, wanted: Wanted, last: int
) -> AsyncIterator[list[batch_rows.Row]]:
    for after, until in _pages(last):
        for start in range(after, until, FIRST_PAGE_ROWS * 4):
            where = result_rows.Where(start, min(start + FIRST_PAGE_ROWS * 4, until), wanted.statuses)
            async with db.transaction() as connection:
                rows = await result_rows.rows_page(connection, batch, where)
            if rows:
                yield rows


def _own(row: batch_rows.Row, base_url: str) -> tuple[str | None, ...]:
    error = f"{row.error_code}: {row.error_message}" if row.error_code else None
    cost = f"{row.cost_micros // 1_000_000}.{row.cost_micros % 1_000_000:06d}"
    return (row.status, row.output, _output_url(row, base_url), error, row.model, cost)


def _output_url(row: batch_rows.Row, base_url: str) -> str | None:
    done = row.status is batch_rows.RowStatus.COMPLETED and row.job_id is not None
    return f"{base_url}/v1/jobs/{row.job_id}/outputs/0" if done else None


def as_json(batch: batches.Batch, row: batch_rows.Row, base_url: str) -> dict[str, object]:
    """A row with everything known of it, for JSON Lines."""
    names = batch.layout.columns if batch.layout else ()
    job_id = None
    if row.status is not batch_rows.RowStatus.INVALID:
        job_id = batches.row_id(batch.id, row.generation, row.number)
    error = {"code": row.error_code, "column": row.error_column, "message": row.error_message}
    return {
        "row": row.number,
        "line": row.line,
        "custom_id": row.custom_id,
        "job_id": job_id,
        "generation": row.generation,
        "status": row.status,
        "input": dict(zip(names, row.cells, strict=False)),
        "output": row.output,
        "output_url": _output_url(row, base_url),
        "error": error if row.error_code else None,
        "model": row.model,
        "provider": row.provider,
        "cost_micros": row.cost_micros,
        "finished_at": row.finished_at,
    }

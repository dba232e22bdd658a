"""Results as CSV against Postgres' own COPY TO of the same columns, and the time of the first byte.

`python benchmarks/batch_export.py [--rows 1000000]`; prints `name ratio yardstick measured target`.
"""

import argparse
import asyncio
import dataclasses
import resource
import tempfile
import time
from pathlib import Path

import asyncpg
import sqlalchemy as sa
from frame import figures

from cli.stack import stack
from shared import clock
from shared.db import batches as batch_tables
from shared.db import engine, schema
from shared.domain import batches, recipes, sheets, tenants
from shared.queues import hints
from shared.services import batches as batch_services
from shared.services import results

TARGET = 0.3
FIRST_BYTE_SECONDS = 1.0
TENANT = "ten_00000000000000000000000000"
COLUMNS = ("sku", "name", "language")
FILL = """
INSERT INTO batch_rows (batch_number, number, line, status, cells, model, provider, output, cost_micros, finished_at)
SELECT :batch, n, n + 1, 'completed', ARRAY['SKU-' || n, 'Product number ' || n || ', with a longer name', 'de'],
  'sandbox/text', 'sandbox', repeat('A sentence about the product. ', 6), 500, now() FROM generate_series(1, :rows) AS n
"""
PLAIN = """
SELECT cells[1], cells[2], cells[3], status, output, job_id, error_code, model, cost_micros FROM batch_rows
WHERE batch_number = $1 ORDER BY number
"""


async def fill(db: engine.Database, rows: int) -> batches.Batch:
    """A batch whose rows are all done."""
    new = batches.NewBatch(
        id=batches.new_id(),
        tenant_id=TENANT,
        key_id=tenants.ADMIN_KEY_ID,
        created_at=clock.now(),
        recipe=recipes.Recipe(model="sandbox/text", template="{{name}}"),
        wishes=batches.Wishes(),
        options=sheets.Options(),
        source_name="rows.csv",
        source_key="unused",
    )
    made = await batch_services.create(db, new)
    layout = dataclasses.asdict(sheets.Layout(sheets.Form.CSV, COLUMNS))
    async with db.transaction() as connection:
        await connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        await connection.execute(sa.text(FILL), {"batch": made.number, "rows": rows})
        await batch_tables.note(connection, made.number, layout=layout)
    return await batch_services.get(db, TENANT, made.id)


async def export(db: engine.Database, batch: batches.Batch) -> tuple[float, float]:
    """Seconds to the first row and to the end."""
    began, first, size = time.perf_counter(), 0.0, 0
    async for chunk in results.stream(db, batch, results.Wanted(), "http://unused"):
        size += len(chunk)
        if not first and size > len(chunk):
            first = time.perf_counter() - began
    return first, time.perf_counter() - began


async def copy(url: str, batch: batches.Batch) -> float:
    """Seconds of a plain COPY TO."""

    async def sink(_: bytes) -> None:
        pass

    connection = await asyncpg.connect(hints.dsn(url))
    try:
        began = time.perf_counter()
        await connection.copy_from_query(PLAIN, batch.number, output=sink, format="csv")
        return time.perf_counter() - began
    finally:
        await connection.close()


async def main(rows: int) -> None:
    """Print the lines."""
    with tempfile.TemporaryDirectory() as name:
        async with stack.Stack(
            data_dir=Path(name) / "data", servers_only=True, usual_ports=False, temporary=True, say=lambda _: None
        ) as servers:
            url = servers.env["GENQUEUE_DATABASE_URL"]
            await schema.upgrade(url)
            db = engine.Database(url, 4, "benchmark")
            batch = await fill(db, rows)
            yardstick = await copy(url, batch)
            first, measured = await export(db, batch)
            yardstick = min(yardstick, await copy(url, batch))
            await db.close()
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    rates, notes = (rows / yardstick, rows / measured), {"megabytes": megabytes}
    against = "COPY TO of the same columns"
    figures.tell(figures.Line("batch_export", yardstick / measured, *rates, TARGET, "rows/s", against, notes=notes))
    figures.tell(
        figures.Line(
            *("batch_export_first_byte", first / FIRST_BYTE_SECONDS, FIRST_BYTE_SECONDS, first, 1.0, "s"),
            "until the first byte of a million rows",
            at_most=True,
        )
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    asyncio.run(main(parser.parse_args().rows))

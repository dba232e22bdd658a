"""Reading a file into rows against Postgres' own COPY of the very same rows into a table with the same indexes.

`python benchmarks/batch_ingest.py [--rows 1000000]`; prints `name ratio yardstick measured target`, and the memory.
"""

import argparse
import csv
import resource
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import uvloop
from frame import figures

from cli.stack import stack
from shared import clock, collector, settings
from shared.db import copies, schema
from shared.domain import batches, recipes, sheets, tenants
from shared.queues import hints
from shared.services import batches as batch_services
from shared.services import claims
from shared.services import slices as slice_services
from workers import context
from workers.steps import reading

TARGET = 0.5
MOST_MEGABYTES = 300
TENANT = "ten_00000000000000000000000000"
TEMPLATE = "Write a product text for {{name}} in {{language}}"
COLUMNS = ", ".join(copies.COLUMNS)


def write(path: Path, rows: int) -> None:
    """A file of about a hundred bytes a row."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sku", "name", "language"])
        for number in range(rows):
            name = f'Product number {number}, with a longer name, "quoted" so that a row has a hundred bytes'
            writer.writerow([f"SKU-{number:07d}", name, ("de", "en", "fr")[number % 3]])


async def chunks(path: Path) -> AsyncIterator[bytes]:
    """The file in pieces."""
    with path.open("rb") as file:
        while piece := file.read(1024 * 1024):
            yield piece


async def ingest(at: context.Context, path: Path) -> float:
    """Seconds from the file in the bucket to a batch that is ready."""
    batch_id = batches.new_id()
    new = batches.NewBatch(
        id=batch_id,
        tenant_id=TENANT,
        key_id=tenants.ADMIN_KEY_ID,
        created_at=clock.now(),
        recipe=recipes.Recipe(model="sandbox/text", template=TEMPLATE),
        wishes=batches.Wishes(dry_run=True),
        options=sheets.Options(),
        source_name="rows.csv",
        source_key=f"{batches.folder(TENANT, batch_id)}/input",
    )
    await at.store.put_stream(new.source_key, chunks(path), "text/csv", at.settings.max_batch_bytes)
    await batch_services.create(at.db, new)
    supply = slice_services.Supply(at.shelf.current, at.usable_providers())
    here = await slice_services.begin(at.db, batch_id, at.process_id, supply)
    assert here is not None
    began = time.perf_counter()
    await reading.read(at, here)
    seconds = time.perf_counter() - began
    assert (await batch_services.get(at.db, TENANT, batch_id)).status is batches.BatchStatus.READY
    return seconds


async def copy(url: str, folder: Path) -> float:
    """Seconds of a plain COPY of the rows that are there into a table like theirs."""
    connection = await asyncpg.connect(hints.dsn(url))
    try:
        await connection.execute("CREATE TABLE plain (LIKE batch_rows INCLUDING ALL)")
        text = folder / "rows.text"
        await connection.copy_from_query(f"SELECT {COLUMNS} FROM batch_rows", output=str(text))  # noqa: S608
        began = time.perf_counter()
        await connection.copy_to_table("plain", source=str(text), columns=list(copies.COLUMNS))
        return time.perf_counter() - began
    finally:
        await connection.close()


async def emptied(url: str) -> None:
    """Nothing is left of the round before."""
    connection = await asyncpg.connect(hints.dsn(url))
    await connection.execute("DROP TABLE IF EXISTS plain; TRUNCATE batch_rows, batches CASCADE; CHECKPOINT")
    await connection.close()


async def main(rows: int, rounds: int) -> None:
    """Print the line."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with stack.Stack(
            data_dir=folder / "data", servers_only=True, usual_ports=False, temporary=True, say=lambda _: None
        ) as servers:
            values = {key.removeprefix("GENQUEUE_").lower(): value for key, value in servers.env.items()}
            configured = settings.Settings.model_validate(values)
            url = configured.database_url.get_secret_value()
            await schema.upgrade(url)
            write(folder / "rows.csv", rows)
            at = context.open_context(configured)
            collector.spare()  # as workers do
            await at.store.ensure_bucket()
            await claims.heartbeat(at.db, at.process_id, "worker", 3600)
            ours, yardsticks = list[float](), list[float]()
            for _ in range(rounds):
                await emptied(url)
                ours.append(await ingest(at, folder / "rows.csv"))
                yardsticks.append(await copy(url, folder))
            megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            await at.courier.close()
            await at.close()
    ratio = figures.median([bare / own for bare, own in zip(yardsticks, ours, strict=True)])
    rates = rows / figures.median(yardsticks), rows / figures.median(ours)
    figures.tell(figures.Line("batch_ingest", ratio, *rates, TARGET, "rows/s", "COPY of the same rows"))
    what = f"memory of the process that reads {rows:,} rows"
    share = megabytes / MOST_MEGABYTES
    figures.tell(figures.Line("batch_ingest_memory", share, MOST_MEGABYTES, megabytes, 1.0, "MB", what, at_most=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    # The loop that workers run on.
    uvloop.run(main(given.rows, given.rounds))

"""Reading a batch's file into rows: from the bucket, in chunks, going on after a crash where the last chunk ended."""

import asyncio
import collections
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from functools import partial
from itertools import dropwhile, islice
from pathlib import Path

import structlog

from shared import clock, logs
from shared.db import copies
from shared.domain import batch_rows, batches, recipes, sheets
from shared.outbound import downloads
from shared.services import inputs, readings
from shared.services import slices as slice_services
from shared.sheets import files
from shared.storage import troubles
from workers import context

CHUNK_ROWS = 32_000
CHUNK_CHARACTERS = 8_000_000
# On their way into Postgres at a time: with two it often waits for us, four are no faster and take 30 MB more.
MOST_STORING = 3

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


async def read(at: context.Context, here: slice_services.Slice) -> None:
    """Read the whole file. Raises LostReadingError, StorageUnavailableError; may be repeated."""
    if not await slice_services.hold(at.db, here):
        return
    with tempfile.TemporaryDirectory(prefix="genqueue-") as folder:
        try:
            await _read(at, here, Path(folder) / "input")
        except sheets.SheetError as error:
            _log.info("file_refused", code=error.code, line=error.line)
            await readings.fail(at.db, here.batch, here.number, error, clock.now())


async def _read(at: context.Context, here: slice_services.Slice, path: Path) -> None:
    batch = here.batch
    size_bytes = await _fetch(at, batch, path)
    wanted = recipes.columns_named(batch.recipe)
    layout = await asyncio.to_thread(files.layout_of, path, batch.source_name, batch.options, wanted)
    usable = batches.reach(at.shelf.current, at.usable_providers(), is_test=batch.is_test)
    checker = batch_rows.Checker(batch.recipe, layout, at.shelf.current, usable, partial(inputs.check, at.guard))
    await readings.save_layout(at.db, batch, here.number, layout, checker.notes, size_bytes)
    most_rows = await readings.most_rows(at.db, batch, at.settings.max_batch_rows)
    reader = Reader(batch, checker, files.records(path, layout), most_rows)
    await _store(at, here, reader)
    status = await readings.finish(at.db, batch, here.number, clock.now(), has_ids=checker.has_ids)
    _log.info("file_read", rows=reader.rows, status=status)


async def _store(at: context.Context, here: slice_services.Slice, reader: "Reader") -> None:
    """Every chunk. While some are copied and committed, one after the other, the next one is read."""
    storing: collections.deque[asyncio.Task[None]] = collections.deque()
    try:
        async with aclosing(reader.chunks()) as chunks:
            async for chunk in chunks:
                last = storing[-1] if storing else None
                storing.append(asyncio.create_task(readings.store(at.db, here.batch, here.number, chunk, last)))
                if len(storing) == MOST_STORING:
                    await storing.popleft()
        for task in storing:
            await task
    finally:
        # What comes next, the end or a refusal of the file, finds nothing half done.
        await asyncio.gather(*storing, return_exceptions=True)


async def _fetch(at: context.Context, batch: batches.Batch, path: Path) -> int:
    """Bring the file here; one that lies at a URL of the caller's goes to the bucket first."""
    if batch.source_url is not None:
        try:
            async with at.downloader.fetch(batch.source_url, {}) as download:
                limit = at.settings.max_batch_bytes
                await at.store.put_stream(batch.source_key, download.chunks, "application/octet-stream", limit)
        except downloads.DownloadError as error:
            raise sheets.SheetError("not_fetched", f"The file could not be fetched: {error}.") from None
        except troubles.TooBigError as error:
            raise sheets.SheetError("too_large", error.message) from None
    try:
        return await at.store.download_to(batch.source_key, path)
    except troubles.ObjectMissingError:
        raise sheets.SheetError("not_fetched", "The file is no longer in the storage; send it again.") from None


class Reader:
    """Makes records into chunks. The next one is read in a thread while the last one is stored."""

    def __init__(
        self, batch: batches.Batch, checker: batch_rows.Checker, records: Iterator[sheets.Record], most_rows: int
    ) -> None:
        self.rows = 0
        self._number = batch.number
        self._checker = checker
        self._most_rows = most_rows
        # What a former process has stored is read again, and left out.
        self._records = dropwhile(lambda record: record.number <= batch.cursor, records)

    async def chunks(self) -> AsyncGenerator[readings.Chunk, None]:
        """Every chunk. Raises SheetError for a file that ends badly or has too many rows."""
        coming = asyncio.create_task(asyncio.to_thread(self.next_chunk))
        try:
            while (chunk := await coming).rows:
                coming = asyncio.create_task(asyncio.to_thread(self.next_chunk))
                yield chunk
        finally:
            # A thread cannot be stopped: wait until it no longer reads the file.
            await asyncio.gather(coming, return_exceptions=True)

    def next_chunk(self) -> readings.Chunk:
        """The next rows, checked and priced; empty at the end. Blocking."""
        chunk, characters = readings.Chunk(), 0
        lines, prices = list[str](), list[batch_rows.Price]()
        price, line_of = self._checker.price, copies.line
        custom_id = self._checker.custom_id if self._checker.has_ids else None
        # The inside of this loop is all that a million rows cost.
        for number, line_number, cells, found in islice(self._records, CHUNK_ROWS):
            fault = found
            if fault is None:
                try:
                    prices.append(price(cells))
                except recipes.RowFaultError as error:
                    fault = error.fault
            own = custom_id(cells) if custom_id is not None else None
            line = line_of(self._number, number, line_number, cells, own, fault)
            lines.append(line)
            characters += len(line)
            if characters > CHUNK_CHARACTERS:
                break
        if lines:
            chunk.lines, chunk.rows, chunk.last = "".join(lines).encode(), len(lines), number
            chunk.count(prices)
        if chunk.last > self._most_rows:
            message = f"The file has more than the {self._most_rows} rows this key may send; split it."
            raise sheets.SheetError("too_many_rows", message)
        self.rows = chunk.last or self.rows
        return chunk

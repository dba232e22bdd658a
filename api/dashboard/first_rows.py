"""The first rows of a batch with what came of them, as a table to look at."""

import csv
import io
from dataclasses import dataclass

from api import auth, parts
from shared.services import batches, results

SHOWN = 20
LONGEST_CELL = 160


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell says, and the page of ours it leads to, if any."""

    text: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The names of the columns, and rows of as many cells."""

    names: list[str]
    rows: list[list[Cell]]


async def of(given: parts.Parts, caller: auth.Caller, batch_id: str) -> Table:
    """The first rows of what the download would hold. Reads no more of it than that."""
    batch = await batches.get(given.db, caller.tenant_id, batch_id)
    chunks = results.stream(given.db, batch, results.Wanted(safe=False), "")
    head, page = await anext(chunks, b""), await anext(chunks, b"")
    await chunks.aclose()  # type: ignore[attr-defined]
    names, *rows = csv.reader(io.StringIO((head + page).decode(errors="ignore")))
    # A page may end within a row.
    return Table(names, [[_cell(text) for text in row] for row in rows[:SHOWN] if len(row) == len(names)])


def _cell(text: str) -> Cell:
    if text.startswith("/v1/jobs/"):
        return Cell("open", text.removeprefix("/v1").partition("/outputs")[0])
    return Cell(text if len(text) <= LONGEST_CELL else f"{text[:LONGEST_CELL]}…")

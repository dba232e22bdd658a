"""Rows of CSV and TSV, one at a time. A faulty row becomes a record with a fault; the others go on."""

import codecs
import contextlib
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from shared.domain import sheets

# Spreadsheets leave such rows below the last one.
EMPTY_ROW = sheets.RowFault("empty_row", "Every cell of the row is empty.")
_BLOCK = 1024 * 1024
# The module's own limit of 131,072 characters would end the reading; ours is a fault of the row.
csv.field_size_limit(64 * 1024 * 1024)


def records(path: Path, layout: sheets.Layout) -> Iterator[sheets.Record]:
    """Every row below the header. Blank lines are no rows. Raises SheetError for a quote that is never closed."""
    suspicious = not is_clean(path, layout.encoding)
    # newline="" leaves line ends inside quotes as they are; CR alone ends a line too.
    with path.open(encoding=layout.encoding, errors="surrogateescape", newline="") as file:
        for _ in range(layout.skipped_lines):
            file.readline()
        yield from _below_header(file, layout, suspicious=suspicious)


def _below_header(file: io.TextIOWrapper, layout: sheets.Layout, *, suspicious: bool) -> Iterator[sheets.Record]:
    reader = csv.reader(file, delimiter=layout.delimiter, strict=True)
    width, number, skipped = len(layout.columns), 0, layout.skipped_lines
    made = tuple.__new__
    _skip_header(reader)
    while True:
        line = reader.line_num + skipped + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            number += 1
            yield _broken(number, line, width, error)
            continue
        if not cells:
            continue
        number += 1
        # Joined, the cells are measured faster than one by one; and NamedTuple's own constructor takes twice as long.
        if len(cells) != width or suspicious or not 0 < len("".join(cells)) <= sheets.LONGEST_CELL:
            yield _checked(number, line, cells, layout)
        else:
            yield made(sheets.Record, (number, line, cells, None))


def _skip_header(reader: Iterator[list[str]]) -> None:
    with contextlib.suppress(StopIteration):
        while not next(reader):
            pass


def _broken(number: int, line: int, width: int, error: csv.Error) -> sheets.Record:
    said = str(error)
    if "unexpected end of data" in said or "field larger" in said:
        raise sheets.SheetError(
            "unclosed_quote", f"The quote that opens in line {line} or below is never closed.", line
        ) from None
    message = "A quote inside a cell must be doubled, and the whole cell quoted."
    return sheets.Record(number, line, [""] * width, sheets.RowFault("bad_quoting", message))


def _checked(number: int, line: int, cells: list[str], layout: sheets.Layout) -> sheets.Record:
    width = len(layout.columns)
    if len(cells) != width:
        fault = sheets.RowFault("ragged_row", f"The row has {len(cells)} cells; the header has {width}.")
        return sheets.Record(number, line, storable((cells + [""] * width)[:width]), fault)
    found = fault_in(cells, layout.columns) if any(cells) else EMPTY_ROW
    return sheets.Record(number, line, storable(cells) if found else cells, found)


def fault_in(cells: list[str], names: tuple[str, ...]) -> sheets.RowFault | None:
    """What Postgres, or reason, would not take of these cells."""
    for name, cell in zip(names, cells, strict=True):
        if len(cell) > sheets.LONGEST_CELL:
            message = f"The cell has {len(cell)} characters; {sheets.LONGEST_CELL} at most."
            return sheets.RowFault("cell_too_long", message, name)
        if "\0" in cell:
            return sheets.RowFault("nul_character", "The cell holds the character U+0000.", name)
        if not is_text(cell):
            return sheets.RowFault("bad_encoding", "The cell is not text in the file's encoding.", name)
    return None


def storable(cells: list[str]) -> list[str]:
    """Cells of a faulty row as they can be kept and shown: without NUL, cut short, bad bytes marked."""
    return [
        cell[: sheets.LONGEST_CELL // 1000].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        for cell in cells
    ]


def is_text(cell: str) -> bool:
    """Whether every character can be written as UTF-8."""
    if cell.isascii():
        return True
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_clean(path: Path, encoding: str) -> bool:
    """Whether the whole file is text of this encoding and has no NUL: then no cell has to be looked at."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                if "\0" in decoder.decode(block):
                    return False
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True

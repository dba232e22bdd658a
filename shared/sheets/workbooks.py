"""Rows of an Excel workbook, everything as text."""

import datetime as dt
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import python_calamine

from shared.domain import sheets
from shared.sheets import heads, tables

MOST_ENTRIES = 10_000
_BLOCK = 256 * 1024


def layout_of(path: Path, options: sheets.Options, most_bytes: int) -> sheets.Layout:
    """The layout of the sheet named in `options`, or of the first. Raises SheetError, also for a zip bomb."""
    weigh(path, most_bytes)
    sheet = _open(path, options.sheet)
    first = next(iter(sheet.iter_rows()), None)
    if first is None:
        raise sheets.SheetError("empty_file", f"The sheet {sheet.name!r} is empty.")
    return sheets.Layout(sheets.Form.XLSX, heads.check_header([_text(cell) for cell in first]), sheet=sheet.name)


def records(path: Path, layout: sheets.Layout) -> Iterator[sheets.Record]:
    """Every row below the header; rows without a single value are no rows."""
    sheet = _open(path, layout.sheet)
    width, number, above = len(layout.columns), 0, sheet.start[0] if sheet.start else 0
    for place, values in enumerate(sheet.iter_rows()):
        cells = [_text(value) for value in values]
        if place == 0 or not any(cells):
            continue
        number += 1
        cells = (cells + [""] * width)[:width]
        fault = tables.fault_in(cells, layout.columns)
        yield sheets.Record(number, above + place + 1, tables.storable(cells) if fault else cells, fault)


def weigh(path: Path, most_bytes: int) -> None:
    """Raise SheetError when the workbook unpacks to more than `most_bytes`. The sizes a zip declares may lie, so it
    is unpacked, to nowhere.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_ENTRIES:
                raise _bomb(most_bytes)
            total = 0
            for entry in entries:
                for size in _unpacked(path, entry):
                    total += size
                    if total > most_bytes:
                        raise _bomb(most_bytes)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError):
        raise sheets.SheetError("bad_workbook", "The workbook is damaged or not complete; save it again.") from None


def _unpacked(path: Path, entry: zipfile.ZipInfo) -> Iterator[int]:
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile("an odd compression")
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(30)
        if len(header) < 30 or header[:4] != b"PK\x03\x04":
            raise zipfile.BadZipFile("no entry where one should be")
        file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
        if entry.compress_type == zipfile.ZIP_STORED:
            yield entry.compress_size
            return
        left, inflate = entry.compress_size, zlib.decompressobj(-15)
        while left > 0 and (block := file.read(min(_BLOCK, left))):
            left -= len(block)
            while block:
                yield len(inflate.decompress(block, _BLOCK))
                block = inflate.unconsumed_tail


def _bomb(most_bytes: int) -> sheets.SheetError:
    megabytes = most_bytes // 1_000_000
    message = f"The workbook unpacks to more than {megabytes} MB; save it as CSV, which may be larger."
    return sheets.SheetError("workbook_too_large", message)


def _open(path: Path, name: str | None) -> python_calamine.CalamineSheet:
    try:
        book = python_calamine.load_workbook(str(path))
        if not book.sheet_names:
            raise sheets.SheetError("empty_file", "The workbook has no sheet.")
        if name is not None and name not in book.sheet_names:
            known = ", ".join(book.sheet_names[:20])
            raise sheets.SheetError("unknown_sheet", f"No sheet is called {name[:80]!r}; there are: {known}.")
        return book.get_sheet_by_name(name if name is not None else book.sheet_names[0])
    except (python_calamine.CalamineError, zipfile.BadZipFile, OSError):
        raise sheets.SheetError("bad_workbook", "The workbook cannot be read; save it again as .xlsx.") from None


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return str(value)

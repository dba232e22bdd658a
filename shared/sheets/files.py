"""A file on this machine as rows, whatever its form."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from shared.domain import sheets
from shared.sheets import heads, lines, tables, workbooks

# Calamine keeps a whole workbook in memory, several times its unpacked size.
MOST_WORKBOOK_BYTES = 64_000_000

_READERS = {
    sheets.Form.CSV: tables.records,
    sheets.Form.TSV: tables.records,
    sheets.Form.JSONL: lines.records,
    sheets.Form.XLSX: workbooks.records,
}


def layout_of(path: Path, name: str, options: sheets.Options, wanted: Sequence[str] = ()) -> sheets.Layout:
    """How the file is to be read. Blocking. Raises SheetError."""
    with path.open("rb") as file:
        head = file.read(heads.HEAD_BYTES)
    if heads.form_of(name, head, options) is sheets.Form.XLSX:
        return workbooks.layout_of(path, options, MOST_WORKBOOK_BYTES)
    layout = heads.layout_of(name, head, options, wanted)
    if layout is None:
        raise sheets.SheetError("header_too_long", f"The first row is longer than {heads.HEAD_BYTES} bytes.", 1)
    return layout


def records(path: Path, layout: sheets.Layout) -> Iterator[sheets.Record]:
    """Every row. Blocking. Raises SheetError in the middle when the rest cannot be read at all."""
    return _READERS[layout.form](path, layout)

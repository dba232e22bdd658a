"""Rows of JSON Lines: one object a line, its fields being the columns of the first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from shared.domain import sheets
from shared.sheets import tables


def records(path: Path, layout: sheets.Layout) -> Iterator[sheets.Record]:
    """Every line but blank ones."""
    number = 0
    with path.open(encoding=layout.encoding, errors="surrogateescape", newline="\n") as file:
        for line, text in enumerate(file, 1):
            if text.strip():
                number += 1
                yield _record(number, line, text, layout.columns)


def _record(number: int, line: int, text: str, names: tuple[str, ...]) -> sheets.Record:
    blank = [""] * len(names)
    if not tables.is_text(text):
        return sheets.Record(number, line, blank, sheets.RowFault("bad_encoding", "The line is not UTF-8."))
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        message = f"The line is not JSON: {error.msg} at character {error.colno}."
        return sheets.Record(number, line, blank, sheets.RowFault("invalid_json_line", message))
    if not isinstance(found, dict):
        fault = sheets.RowFault("invalid_json_line", "The line is not a JSON object.")
        return sheets.Record(number, line, blank, fault)
    return _of_object(number, line, found, names)


def _of_object(number: int, line: int, found: dict[str, Any], names: tuple[str, ...]) -> sheets.Record:
    cells = [_cell(found.get(name)) for name in names]
    unknown = next((name for name in found if name not in names), None)
    fault = tables.fault_in(cells, names)
    if fault is None and unknown is not None:
        message = "The first line has no such field; every line needs the same."
        fault = sheets.RowFault("unknown_field", message, unknown[:80].replace("\0", ""))
    return sheets.Record(number, line, tables.storable(cells) if fault else cells, fault)


def _cell(value: Any) -> str:  # noqa: ANN401 - any JSON
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()

"""What the first bytes of a file tell: its form, its encoding, its delimiter, its columns. Nothing is guessed twice:
what is found here is kept with the batch.
"""

import codecs
import csv
from collections.abc import Sequence
from pathlib import PurePath

import orjson

from shared.domain import columns, sheets

HEAD_BYTES = 64 * 1024
_SNIFFED_RECORDS = 20
_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_BY_EXTENSION = {
    ".csv": sheets.Form.CSV,
    ".txt": sheets.Form.CSV,
    ".tsv": sheets.Form.TSV,
    ".tab": sheets.Form.TSV,
    ".jsonl": sheets.Form.JSONL,
    ".ndjson": sheets.Form.JSONL,
    ".xlsx": sheets.Form.XLSX,
}


def form_of(name: str, head: bytes, options: sheets.Options) -> sheets.Form:
    """The form the caller named, else the one of the file's name, else of its content. Raises SheetError when the
    content is something else.
    """
    if not head:
        raise sheets.SheetError("empty_file", "The file is empty; it needs a header and at least one row.")
    named = options.form or _BY_EXTENSION.get(PurePath(name).suffix.lower())
    found = _form_of_content(head)
    if named is None:
        return found or sheets.Form.CSV
    binary = sheets.Form.XLSX
    if (named is binary) != (found is binary) or (found is sheets.Form.JSONL and named is not found):
        said = {binary: "an Excel workbook", sheets.Form.JSONL: "JSON Lines"}.get(found or named, "text")
        raise sheets.SheetError(
            "wrong_form", f"The file is called {named}, but its content is {said}; name its true `format`."
        )
    if named is sheets.Form.JSONL and found is not named:
        raise sheets.SheetError("wrong_form", "Line 1 is not a JSON object; JSON Lines has one object a line.", 1)
    return named


def _form_of_content(head: bytes) -> sheets.Form | None:
    if head.startswith(_OLD_EXCEL):
        raise sheets.SheetError("wrong_form", "This is a workbook of Excel 97; save it as .xlsx or CSV.")
    if head.startswith(_ZIP):
        return sheets.Form.XLSX
    line = head.removeprefix(codecs.BOM_UTF8).lstrip().split(b"\n", 1)[0].strip()
    return sheets.Form.JSONL if line.startswith(b'{"') or line == b"{}" else None


def encoding_of(head: bytes, options: sheets.Options) -> str:
    """The encoding by its mark, by what the caller said, or UTF-8. Raises SheetError for anything else: guessing
    turns names into others without a word.
    """
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    encoding = options.encoding or sheets.Encoding.UTF_8
    if encoding is sheets.Encoding.UTF_16:
        raise sheets.SheetError("bad_encoding", "UTF-16 needs its byte order mark; save the file as UTF-8.")
    if b"\0" in head[:4096] and head[:4096].count(b"\0") > len(head[:4096]) // 4:
        raise sheets.SheetError("bad_encoding", "This looks like UTF-16 without its mark; save the file as UTF-8.")
    try:
        codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError as error:
        line = head.count(b"\n", 0, error.start) + 1
        known = ", ".join(sheets.Encoding)
        raise sheets.SheetError(
            "bad_encoding",
            f"Line {line} is not {encoding}; save the file as UTF-8, or name its `encoding`: {known}.",
            line,
        ) from None
    return encoding


def layout_of(name: str, head: bytes, options: sheets.Options, wanted: Sequence[str] = ()) -> sheets.Layout | None:
    """The layout of a text file by its first HEAD_BYTES; None for a workbook, or when the first row is longer.
    `wanted` are columns the caller named, which tell delimiters apart. Raises SheetError.
    """
    form = form_of(name, head, options)
    if form is sheets.Form.XLSX:
        return None
    encoding = encoding_of(head, options)
    text = codecs.getincrementaldecoder(encoding)().decode(head)
    if form is sheets.Form.JSONL:
        return _layout_of_lines(text, encoding, whole=len(head) < HEAD_BYTES)
    return _layout_of_table(form, text, encoding, options, wanted)


def _layout_of_lines(text: str, encoding: str, *, whole: bool) -> sheets.Layout | None:
    line, end, _ = text.lstrip().partition("\n")
    if not end and not whole:
        return None
    try:
        first = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise sheets.SheetError("invalid_json_line", f"Line 1 is not JSON: {error.msg}.", 1) from None
    if not isinstance(first, dict) or not first:
        raise sheets.SheetError("invalid_json_line", "Line 1 is not a JSON object with fields.", 1)
    return sheets.Layout(sheets.Form.JSONL, check_header(list(first)), encoding)


def _layout_of_table(
    form: sheets.Form, text: str, encoding: str, options: sheets.Options, wanted: Sequence[str]
) -> sheets.Layout | None:
    skipped, declared = 0, None
    first = text.splitlines()[0] if text.strip() else ""
    if first.lower().startswith("sep=") and len(first) == 5:
        skipped, declared = 1, first[4]
        text = text[len(first) :].lstrip("\r\n")
    delimiter = options.delimiter or declared or ("\t" if form is sheets.Form.TSV else _sniff(text, wanted))
    records = _records(text, delimiter, 1)
    if not records:
        if len(text) >= HEAD_BYTES // 4:
            return None
        raise sheets.SheetError("empty_file", "The file has no header; it needs one and at least one row.")
    return sheets.Layout(form, check_header(records[0]), encoding, delimiter, None, skipped)


def _sniff(text: str, wanted: Sequence[str]) -> str:
    """The delimiter whose header has most of the columns named, else that gives most rows of the header's width."""
    known = {columns.plain(name) for name in wanted}

    def score(delimiter: str) -> tuple[int, int, int]:
        records = _records(text, delimiter, _SNIFFED_RECORDS)
        width = len(records[0]) if records else 0
        found = len(known & {columns.plain(cell) for cell in records[0]}) if records else 0
        alike = sum(len(record) == width for record in records) if width > 1 else 0
        return found, alike, width

    return str(max(sheets.Delimiter, key=score))


def _records(text: str, delimiter: str, most: int) -> list[list[str]]:
    found: list[list[str]] = []
    try:
        for record in csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True):
            if record:
                found.append(record)
            if len(found) == most:
                break
    except csv.Error:
        pass  # the head may end within a cell
    return found


def check_header(header: Sequence[str]) -> tuple[str, ...]:
    """The header, if every column has a name of its own. Raises SheetError."""
    names = tuple(name.strip() for name in header)
    if len(names) > sheets.MOST_COLUMNS:
        message = f"The file has {len(names)} columns; {sheets.MOST_COLUMNS} at most."
        raise sheets.SheetError("too_many_columns", message, 1)
    seen: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if not name:
            raise sheets.SheetError("empty_header", f"Column {place} has no name in the header.", 1)
        if "\0" in name:
            raise sheets.SheetError("nul_character", f"The name of column {place} holds U+0000.", 1)
        if name in seen:
            message = f"Columns {seen[name]} and {place} are both called {name[:80]!r}."
            raise sheets.SheetError("duplicate_header", message, 1)
        seen[name] = place
    return names

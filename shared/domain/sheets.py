"""What is known of a table of rows before and after it was read: its form, its columns, its faults. No I/O."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

MOST_COLUMNS = 200
LONGEST_CELL = 1_000_000


class Form(StrEnum):
    """The forms of file a batch may come in."""

    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"
    XLSX = "xlsx"


class Encoding(StrEnum):
    """The encodings a caller may name. None is ever guessed."""

    UTF_8 = "utf-8"
    UTF_16 = "utf-16"
    CP1252 = "cp1252"
    LATIN_1 = "latin-1"
    CP1251 = "cp1251"
    SHIFT_JIS = "shift_jis"
    GB18030 = "gb18030"


class Delimiter(StrEnum):
    """What may stand between cells."""

    COMMA = ","
    SEMICOLON = ";"
    TAB = "\t"
    BAR = "|"


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller said about the file; None is to be found out."""

    form: Form | None = None
    encoding: Encoding | None = None
    delimiter: Delimiter | None = None
    sheet: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How the file is to be read. `columns` are as they stand in the file, in its order."""

    form: Form
    columns: tuple[str, ...]
    encoding: str = "utf-8"
    delimiter: str = ","
    sheet: str | None = None
    skipped_lines: int = 0


@dataclass(frozen=True, slots=True)
class RowFault:
    """Why one row cannot be run. `column` is the input's own name for it."""

    code: str
    message: str
    column: str | None = None


class Record(NamedTuple):
    """One row of the file: its number from 1, the line it begins in, its cells, and a fault of its form.
    A tuple, because a million of them are made in seconds.
    """

    number: int
    line: int
    cells: list[str]
    fault: RowFault | None = None


class SheetError(Exception):
    """The file as a whole cannot be read. `code` is stable, the message says what to do."""

    def __init__(self, code: str, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.line = line

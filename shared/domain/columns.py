"""Columns that are the request: which header means which field, and cells as the field's type. Pure."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared.domain import sheets

_ALIASES = {"text": "prompt", "seconds": "duration", "id": "custom_id", "customid": "custom_id"}
_INTEGER = re.compile(r"[+-]?\d{1,18}(\.0+)?")
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


def plain(header: str) -> str:
    """A header without what people do not see: width, case, spaces and hyphens."""
    return re.sub(r"[\s\-]+", "_", unicodedata.normalize("NFKC", header).strip().casefold())


@dataclass(frozen=True, slots=True)
class Reading:
    """The place of each field's column, and the columns no field comes from."""

    fields: dict[str, int]
    unused: tuple[str, ...]


def read_header(header: Sequence[str], mapping: Mapping[str, str]) -> Reading:
    """Which field each column is, by `mapping` (field to column) first, then by name.
    Raises SheetError for a mapping that names no column or no field, and for a field two columns claim.
    """
    fields: dict[str, int] = {}
    for field, column in mapping.items():
        if column not in header:
            known = ", ".join(header[:20])
            raise sheets.SheetError("unknown_column", f"mapping names {column!r}; the columns are: {known}.", 1)
        if not _is_field(field):
            raise sheets.SheetError("unknown_field", f"{field!r} in mapping is not a field of a request.")
        fields[field] = header.index(column)
    taken = set(fields.values())
    for place, name in enumerate(header):
        found = _field_of(name)
        if found is None or place in taken or found in mapping:
            continue
        if found in fields:
            message = f"Two columns are {found}: {header[fields[found]]!r} and {name!r}; name one in `mapping`."
            raise sheets.SheetError("duplicate_header", message, 1)
        fields[found] = place
    used = set(fields.values())
    return Reading(fields, tuple(name for place, name in enumerate(header) if place not in used))


def put(body: dict[str, Any], field: str, cell: str) -> None:
    """Set a field of a request from a cell's text. Raises ValueError with what the cell should be."""
    family, _, member = field.partition(".")
    if member and family == "meta":
        body["metadata"] = body.get("metadata", {}) | {member: cell}
    elif member and family == "param":
        body[member] = _READERS.get(member, _json_or_text)(cell)
    else:
        body[field] = _READERS[field](cell)


def _field_of(header: str) -> str | None:
    name = plain(header)
    name = _ALIASES.get(name, name)
    return name if _is_field(name) else None


def _is_field(name: str) -> bool:
    family, _, member = name.partition(".")
    return name in _READERS or name == "custom_id" or (bool(member) and family in ("meta", "param"))


def _integer(cell: str) -> int:
    text = cell.strip()
    if not _INTEGER.fullmatch(text):
        raise ValueError("expected a whole number, such as 5")
    return int(text.partition(".")[0])


def _number(cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise ValueError("expected a number with a point, such as 0.7") from None
    if not -1e15 < value < 1e15:
        raise ValueError("expected a number of ordinary size")
    return value


def _boolean(cell: str) -> bool:
    word = cell.strip().casefold()
    if word not in _TRUE | _FALSE:
        raise ValueError("expected yes or no")
    return word in _TRUE


def _json(cell: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        raise ValueError("expected JSON") from None


def _json_or_text(cell: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell


def _word(cell: str) -> str:
    return cell.strip()


def _text(cell: str) -> str:
    return cell


_READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("prompt", "system"), _text),
    **dict.fromkeys(("model", "size", "resolution", "aspect_ratio", "format", "on_doubt"), _word),
    **dict.fromkeys(("duration", "seed", "n", "max_tokens"), _integer),
    "temperature": _number,
    "generate_audio": _boolean,
    **dict.fromkeys(
        ("messages", "models", "provider", "response_format", "frame_images", "input_references", "fallback_on"), _json
    ),
}

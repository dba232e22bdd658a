"""What `POST /v1/batches` takes, as a form or as JSON."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import orjson
import pydantic

from api import validation
from shared import errors
from shared.domain import batches, recipes, requests, sheets

_JSON_FIELDS = frozenset({"mapping", "parameters", "response_schema", "metadata"})
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WINDOW = re.compile(r"(\d{1,6})([smhd])")
LONGEST_WINDOW_SECONDS = 30 * 86400
FILE_EXAMPLE = "file_01k0zqj5w3m8v4t2c6n9xb7rde"
_SOURCES = ("url", "input_file_id")


class BatchFields(recipes.Recipe):
    """How the rows of a file are to be run. In a form, objects are sent as JSON."""

    dry_run: Annotated[bool, pydantic.Field(description="Read and price the file, and run nothing until `start`")] = (
        False
    )
    on_invalid: Annotated[batches.OnInvalid, pydantic.Field(strict=False)] = batches.OnInvalid.SKIP
    priority: Annotated[int, pydantic.Field(ge=0, le=9, description="9 goes first")] = 5
    max_concurrency: Annotated[int | None, pydantic.Field(ge=1, le=10_000)] = None
    completion_window: Annotated[
        str, pydantic.Field(pattern=r"^\d{1,6}[smhd]$", description="What has not ended then expires")
    ] = "24h"
    webhook_url: requests.Url | None = None
    metadata: Annotated[dict[requests.MetadataKey, requests.MetadataValue], pydantic.Field(max_length=16)] = {}  # noqa: RUF012 - pydantic copies it
    format: Annotated[sheets.Form | None, pydantic.Field(strict=False)] = None
    encoding: Annotated[sheets.Encoding | None, pydantic.Field(strict=False)] = None
    delimiter: Annotated[sheets.Delimiter | None, pydantic.Field(strict=False)] = None
    sheet: Annotated[str | None, pydantic.Field(min_length=1, max_length=100)] = None

    @pydantic.field_validator("completion_window")
    @classmethod
    def _within_bounds(cls, value: str) -> str:
        if not 1 <= _seconds(value) <= LONGEST_WINDOW_SECONDS:
            raise ValueError("the window may last from 1s to 30d")
        return value

    def recipe(self) -> recipes.Recipe:
        """How a row becomes a request."""
        names = recipes.Recipe.model_fields
        return recipes.Recipe.model_construct(**{name: getattr(self, name) for name in names})

    def wishes(self) -> batches.Wishes:
        """How the batch is to be run."""
        return batches.Wishes(
            dry_run=self.dry_run,
            on_invalid=self.on_invalid,
            priority=self.priority,
            max_concurrency=self.max_concurrency,
            completion_window_seconds=_seconds(self.completion_window),
            webhook_url=self.webhook_url,
            metadata=self.metadata,
        )

    def options(self) -> sheets.Options:
        """How the file is to be read."""
        return sheets.Options(self.format, self.encoding, self.delimiter, self.sheet)


class BatchFromUrl(BatchFields):
    """A batch whose file is fetched from a URL."""

    url: Annotated[requests.Url, pydantic.Field(examples=["https://example.com/products.csv"])]


class BatchFromFile(BatchFields):
    """A batch whose file was uploaded before, to `/openai/v1/files`."""

    input_file_id: Annotated[str, pydantic.Field(min_length=1, max_length=100, examples=[FILE_EXAMPLE])]


FromElsewhere = BatchFromUrl | BatchFromFile


def of_form(fields: Mapping[str, str]) -> BatchFields:
    """The fields of a form. Raises InvalidRequestError."""
    values: dict[str, Any] = {}
    for name, text in fields.items():
        if "\0" in text:
            raise errors.InvalidRequestError("Text may not hold the character U+0000.", param=name[:200])
        values[name] = _of_text(name, text)
    return _validated(BatchFields, {name: value for name, value in values.items() if value is not None})


def of_json(body: Any) -> FromElsewhere:  # noqa: ANN401 - any JSON
    """The fields of a JSON body. Raises InvalidRequestError."""
    named = [name for name in _SOURCES if isinstance(body, dict) and name in body]
    if isinstance(body, dict) and len(named) != 1:
        error = errors.InvalidRequestError if named else errors.MissingFieldError
        raise error("Say where the file is: url or input_file_id, one of them.", param=_SOURCES[0], accepted=_SOURCES)
    return _validated(BatchFromFile, body) if named == ["input_file_id"] else _validated(BatchFromUrl, body)


def _of_text(name: str, text: str) -> Any:  # noqa: ANN401 - what the field takes
    if name in _JSON_FIELDS:
        try:
            return orjson.loads(text) if text.strip() else None
        except orjson.JSONDecodeError:
            raise errors.InvalidRequestError(f"{name} is not JSON.", param=name, accepted=["JSON"]) from None
    if not text:
        return None
    if name in ("priority", "max_concurrency"):
        return int(text) if text.isdecimal() and len(text) < 10 else text
    if name == "dry_run":
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    return text


_Fields = TypeVar("_Fields", bound=BatchFields)


def _validated(model: type[_Fields], values: Any) -> _Fields:  # noqa: ANN401 - any JSON
    try:
        return model.model_validate(values)
    except pydantic.ValidationError as error:
        found = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        raise validation.of_pydantic(found, model) from None


def _seconds(window: str) -> int:
    found = _WINDOW.fullmatch(window)
    return int(found[1]) * _UNITS[found[2]] if found else 0

"""pydantic's faults in our words: a code, the field's path, and what the field takes. Never the value sent."""

import re
import typing
from collections.abc import Sequence
from typing import Any

import pydantic

from shared import errors

SHOWN_FAULTS = 20
LONGEST_PARAM = 200

_CLASSES: dict[str, type[errors.InvalidRequestError]] = {
    "missing": errors.MissingFieldError,
    "extra_forbidden": errors.UnknownFieldError,
    "json_invalid": errors.InvalidJsonError,
}
_BOUNDS = {
    "ge": ">= {}",
    "gt": "> {}",
    "le": "<= {}",
    "lt": "< {}",
    "min_length": "at least {} long",
    "max_length": "at most {} long",
    "pattern": "matching {}",
}
_TYPES = {
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "string": "string",
    "list": "array",
    "dict": "object",
    "model": "object",
    "datetime": "a time such as 2026-01-31T12:00:00Z",
    "timezone": "a time with its zone, such as 2026-01-31T12:00:00Z",
}


def of_pydantic(found: Sequence[Any], model: Any = None) -> errors.InvalidRequestError:  # noqa: ANN401 - a type form
    """One error for all faults: the first by itself, and a list in `details` if there are several.
    `model` is the body's model; with it an unknown field is told the known ones.
    """
    faults = [_fault(item, model) for item in found[:SHOWN_FAULTS]] or [errors.InvalidRequestError()]
    first = faults[0]
    if len(found) > 1:
        first.details = {"errors": [_listed(fault) for fault in faults]}
    return first


def _listed(fault: errors.InvalidRequestError) -> dict[str, Any]:
    return {"code": fault.code, "param": fault.param, "message": fault.message, "accepted": fault.accepted}


def _fault(item: dict[str, Any], model: Any) -> errors.InvalidRequestError:  # noqa: ANN401 - a type form
    kind, path = str(item["type"]), tuple(item["loc"])
    param = _param(path)
    accepted = _known_fields(model, path[1:-1]) if kind == "extra_forbidden" else _accepted(kind, item.get("ctx", {}))
    fault = _CLASSES.get(kind, errors.InvalidRequestError)
    return fault(_sentence(kind, item, param), param=param, accepted=accepted)


def _param(path: tuple[int | str, ...]) -> str | None:
    """`("body", "models", 0)` as `models[0]`. A marker of pydantic's such as `[key]` is not a field."""
    text = ""
    for part in path[1:]:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part and not part.startswith("["):
            text += f".{part}" if text else part
    return text[:LONGEST_PARAM] or None


def _sentence(kind: str, item: dict[str, Any], param: str | None) -> str:
    field = param or "The body"
    if kind == "missing":
        return f"{field} is missing."
    if kind == "extra_forbidden":
        return f"{field} is not a field of this request."
    if kind == "value_error":
        said = str(item["msg"]).removeprefix("Value error, ")
        return f"{param}: {said}." if param else f"{said[:1].upper()}{said[1:]}."
    if kind == "string_pattern_mismatch" and item.get("ctx", {}).get("pattern") == r"\S":
        return f"{field} must not be blank."
    said = str(item["msg"])
    return f"{field}: {said[:1].lower()}{said[1:]}."


def _accepted(kind: str, context: dict[str, Any]) -> list[Any] | None:
    if kind in ("literal_error", "enum"):
        return re.findall(r"'([^']*)'", str(context.get("expected", "")))
    bounds = [form.format(context[name]) for name, form in _BOUNDS.items() if name in context]
    if bounds:
        return bounds
    wanted = _TYPES.get(kind.split("_", maxsplit=1)[0])
    return [wanted] if wanted else None


def _known_fields(model: Any, path: Sequence[int | str]) -> list[Any] | None:  # noqa: ANN401 - a type form
    """The fields of the model that lies at `path` within `model`."""
    inner = _model_in(model)
    for part in path:
        if isinstance(part, str) and inner is not None:
            inner = next((_model_in(f.annotation) for n, f in inner.model_fields.items() if part in (n, f.alias)), None)
    return None if inner is None else sorted(field.alias or name for name, field in inner.model_fields.items())


def _model_in(annotation: Any) -> type[pydantic.BaseModel] | None:  # noqa: ANN401 - a type form
    """The model in `Model`, `list[Model] | None` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return annotation
    return next((m for m in map(_model_in, typing.get_args(annotation)) if m is not None), None)

"""The form of a new job: its fields as a request's body, and a stored request as fields again."""

from typing import Any

import orjson
import pydantic
from starlette import datastructures

from api import validation
from shared import errors
from shared.domain import models, requests, states

_NUMBERS = ("duration", "n", "seed", "max_tokens", "priority", "deadline_seconds")
_WORDS = ("resolution", "aspect_ratio", "size", "format")
SHOWN = frozenset({"model", "prompt", "metadata", "temperature", "generate_audio", *_NUMBERS, *_WORDS})
MOST_COMPARED = 4

Fields = datastructures.ImmutableMultiDict[str, Any]


def body(fields: Fields) -> dict[str, Any]:
    """What the API would be sent. Raises InvalidRequestError for `extra` that is no JSON object."""
    made: dict[str, Any] = {"model": _one(fields, "model"), "prompt": _one(fields, "prompt")}
    made |= {name: _number(value) for name in _NUMBERS if (value := _one(fields, name))}
    made |= {name: value for name in _WORDS if (value := _one(fields, name))}
    if temperature := _one(fields, "temperature"):
        made["temperature"] = _decimal(temperature)
    if _one(fields, "generate_audio"):
        made["generate_audio"] = True
    if metadata := _metadata(_one(fields, "metadata")):
        made["metadata"] = metadata
    made |= _extra(_one(fields, "extra"))
    if "messages" in made:
        del made["prompt"]
    return made


def compared(fields: Fields) -> list[str]:
    """The models to ask: the one chosen, and those it is compared with."""
    chosen = [_one(fields, "model"), *(str(item) for item in fields.getlist("compare") if item)]
    return list(dict.fromkeys(chosen))[:MOST_COMPARED]


def parse(kind: states.Kind, made: dict[str, Any]) -> requests.AnyRequest:
    """The request. Raises InvalidRequestError that names the field."""
    model = requests.BY_KIND[kind]
    try:
        return model.model_validate(made)
    except pydantic.ValidationError as error:
        found = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        raise validation.of_pydantic(found, model) from None


def fields(stored: dict[str, Any]) -> dict[str, Any]:
    """A stored request as the form shows it: what has no field of its own stays JSON."""
    shown = {name: value for name, value in stored.items() if name in SHOWN}
    shown["metadata"] = "\n".join(f"{name}={value}" for name, value in stored.get("metadata", {}).items())
    extra = {name: value for name, value in stored.items() if name not in SHOWN}
    shown["extra"] = orjson.dumps(extra, option=orjson.OPT_INDENT_2).decode() if extra else ""
    return shown


def typed(sent: Fields) -> dict[str, Any]:
    """What was typed, to be shown again."""
    return {name: sent.get(name, "") for name in (*SHOWN, "extra")}


def default_model(catalog: models.Catalog, usable: frozenset[str], kind: states.Kind) -> str:
    """The sandbox's, which costs nothing, or the first that can be used."""
    usual = f"sandbox/{kind}"
    offered = [
        model.id
        for model in catalog.models.values()
        if model.kind is kind and any(e.enabled and e.provider in usable for e in model.endpoints)
    ]
    return usual if usual in offered else (sorted(offered) or [""])[0]


def _one(fields: Fields, name: str) -> str:
    return str(fields.get(name) or "").replace("\r\n", "\n").replace("\0", "").strip()


def _number(value: str) -> int | str:
    """What is no number goes on as it is, and is refused with the field's name."""
    return int(value) if value.lstrip("-").isdecimal() and len(value) <= 20 else value


def _decimal(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


def _metadata(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _extra(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        raise errors.InvalidJsonError("More fields: this is not JSON.", param="extra") from None
    if not isinstance(found, dict):
        raise errors.InvalidRequestError("More fields: write a JSON object.", param="extra")
    return found

"""The page of the API, written from the OpenAPI."""

import json
from collections.abc import Iterator
from typing import Any

HEAD = """\
# API

Written by `make openapi` from the OpenAPI, which a running API has at `/openapi.json` (to try at `/docs`).

Send `Authorization: Bearer <key>`. Every error looks the same and has a code from a [closed set](errors.md).
"""
SHOWN_FIELDS = 40


def page(document: dict[str, Any]) -> str:
    """All operations by subject, with their parameters, bodies and an example of the answer."""
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation.get("tags", ["other"])[0], []).append(
                "".join(_operation(document, f"{method.upper()} {path}", operation))
            )
    parts = (f"\n## {tag.capitalize()}\n" + "".join(shown) for tag, shown in by_tag.items())
    return HEAD + "".join(parts)


def _operation(document: dict[str, Any], name: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"\n### `{name}`\n\n{_line(operation.get('description') or operation['summary'])}\n"
    parameters = [item for item in operation.get("parameters", []) if item["name"].lower() != "idempotency-key"]
    if parameters:
        yield "\n| parameter | in | type | |\n| --- | --- | --- | --- |\n"
        for item in parameters:
            said = _line(item.get("description", ""))
            yield f"| `{item['name']}` | {item['in']} | {_type(item['schema'])} | {said} |\n"
    body = operation.get("requestBody", {}).get("content", {})
    for media_type, content in body.items():
        yield from _fields(document, media_type, content.get("schema", {}))
    yield from _example(operation)


def _fields(document: dict[str, Any], media_type: str, schema: dict[str, Any]) -> Iterator[str]:
    found = _resolved(document, schema)
    if not found.get("properties"):
        return
    required = set(found.get("required", ()))
    yield f"\n| field of `{media_type}` | type | |\n| --- | --- | --- |\n"
    for name, field in list(found["properties"].items())[:SHOWN_FIELDS]:
        must = "required. " if name in required else ""
        yield f"| `{name}` | {_type(field)} | {must}{_line(_resolved(document, field).get('description', ''))} |\n"


def _example(operation: dict[str, Any]) -> Iterator[str]:
    for status, answer in operation["responses"].items():
        example = answer.get("content", {}).get("application/json", {}).get("example")
        if status.startswith("2") and example is not None:
            text = json.dumps(example, indent=2, ensure_ascii=False)
            yield f"\n`{status}`:\n\n```json\n{text}\n```\n"
            return
    codes = ", ".join(f"`{status}`" for status in operation["responses"])
    yield f"\nAnswers: {codes}.\n"


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = document["components"]["schemas"].get(schema["$ref"].rpartition("/")[2], {})
    return found


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(choice) for choice in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

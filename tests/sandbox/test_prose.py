"""Texts use the prompt's words; JSON fits the schema that was asked for."""

import json
from typing import Any

import jsonschema
import pytest

from tests.sandbox import client

TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "required": ["name", "child"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string"},
                "child": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
        }
    },
    "$ref": "#/$defs/node",
}
PLAIN = {
    "type": "object",
    "required": ["title", "tags", "score", "count", "ok", "mood", "when", "maybe", "extra"],
    "properties": {
        "title": {"type": "string", "minLength": 5, "maxLength": 9},
        "long": {"type": "string", "minLength": 200},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 4},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "tight": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.1},
        "count": {"type": "integer", "exclusiveMinimum": 3, "maximum": 5},
        "below": {"type": "integer", "maximum": -3},
        "ok": {"type": "boolean"},
        "mood": {"enum": ["glad", "sad"]},
        "kind": {"const": "balloon"},
        "when": {"type": "string", "format": "date-time"},
        "maybe": {"type": ["null", "string"]},
        "both": {"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}}, {"required": ["a"]}]},
    },
}
SCHEMAS = [PLAIN, TREE, {"type": "array", "items": PLAIN}, {"type": "integer", "multipleOf": 7}, {"type": "boolean"}]


def _wanted(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("seed", range(5))
async def test_json_fits_its_schema(sandbox: client.Sandbox, schema: dict[str, Any], seed: int) -> None:
    view = await sandbox.finished("text", response_format=_wanted(schema), seed=seed)
    (output,) = view["outputs"]
    assert output["media_type"] == "application/json"
    jsonschema.Draft202012Validator(schema).validate(json.loads(output["text"]))


async def test_badjson_is_no_json(sandbox: client.Sandbox) -> None:
    (output,) = (await sandbox.finished("text-badjson", response_format=_wanted(PLAIN)))["outputs"]
    with pytest.raises(json.JSONDecodeError):
        json.loads(output["text"])


async def test_a_json_object_without_a_schema(sandbox: client.Sandbox) -> None:
    view = await sandbox.finished("text", response_format={"type": "json_object"})
    assert isinstance(json.loads(view["outputs"][0]["text"]), dict)


async def test_a_text_uses_the_words_and_is_always_the_same(sandbox: client.Sandbox) -> None:
    first = await sandbox.finished("text", prompt="zebras juggling lanterns", seed=3)
    second = await sandbox.finished("text-async", prompt="zebras juggling lanterns", seed=3)
    other = await sandbox.finished("text", prompt="zebras juggling lanterns", seed=4)
    assert "zebras juggling lanterns" in first["outputs"][0]["text"]
    assert first["outputs"] == second["outputs"] != other["outputs"]
    assert first["usage"]["prompt_tokens"] == 3
    assert first["usage"]["completion_tokens"] == len(first["outputs"][0]["text"].split())


async def test_messages_and_max_tokens(sandbox: client.Sandbox) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Describe a heron"}]},
    ]
    view = await sandbox.finished("text", prompt=None, messages=messages, max_tokens=12, n=2)
    assert [output["finish_reason"] for output in view["outputs"]] == ["length", "length"]
    assert "heron" in view["outputs"][0]["text"]
    assert view["usage"] == {"prompt_tokens": 5, "completion_tokens": 24}

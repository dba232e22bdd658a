"""A value that fits a JSON schema: for structured answers without a language model.

Covers what structured-output schemas use: object, array, string, number, integer, boolean, null,
enum, const, required, bounds, anyOf/oneOf (the first), allOf of objects, local $ref, and the common
string formats. `pattern` is not solved.
"""

from __future__ import annotations

import collections.abc
import math
import random
import typing

Schema = dict[str, typing.Any]
Value = typing.Any

DEEPEST = 12
FORMATS = {
    "date": "2026-01-31",
    "time": "12:30:00Z",
    "date-time": "2026-01-31T12:30:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "8f14e45f-ceea-4c6a-9b1d-0d1f6a3b2c11",
    "ipv4": "192.0.2.1",
    "hostname": "example.com",
}


class Maker:
    """Makes values out of given words; the same chance and words give the same values."""

    def __init__(self, root: Schema, words: list[str], chance: random.Random) -> None:
        self._root, self._words, self._chance = root, words or ["word"], chance

    def make(self, schema: Schema | bool | None = None, depth: int = 0) -> Value:
        """A value for `schema` (the root without one)."""
        shape = self._resolve(self._root if schema is None else schema)
        if "const" in shape:
            return shape["const"]
        if "enum" in shape:
            return self._chance.choice(shape["enum"])
        for word in ("anyOf", "oneOf"):
            if word in shape:
                return self.make(self._easiest(shape[word], depth), depth)
        return self._of_type(shape, depth)

    def _of_type(self, shape: Schema, depth: int) -> Value:
        makers: dict[str, collections.abc.Callable[[Schema, int], Value]] = {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "number": self._number,
            "integer": self._number,
            "boolean": lambda _shape, _depth: self._chance.random() < 0.5,
        }
        make = makers.get(_type(shape))
        return make(shape, depth) if make else None

    def _resolve(self, schema: Schema | bool) -> Schema:
        if isinstance(schema, bool):
            return {"type": "string"}
        reference = schema.get("$ref", "")
        if reference.startswith("#"):
            found: Value = self._root
            for step in reference.lstrip("#/").split("/") if reference != "#" else []:
                found = found[step.replace("~1", "/").replace("~0", "~")]
            return self._resolve(found)
        return _joined([schema, *map(self._resolve, schema.get("allOf", []))])

    @staticmethod
    def _easiest(choices: list[Schema], depth: int) -> Schema:
        """The first choice; once it has gone deep, one that ends a recursion if there is one."""
        ends = [choice for choice in choices if choice.get("type") == "null"]
        return ends[0] if depth > DEEPEST // 2 and ends else choices[0]

    def _object(self, shape: Schema, depth: int) -> Value:
        fields = shape.get("properties", {})
        required = shape.get("required", [])
        wanted = required if depth > DEEPEST // 2 else [*fields, *required]
        return {name: self.make(fields.get(name, {"type": "string"}), depth + 1) for name in dict.fromkeys(wanted)}

    def _array(self, shape: Schema, depth: int) -> Value:
        least = shape.get("minItems", 0)
        count = least if depth > DEEPEST // 2 else max(least, min(2, shape.get("maxItems", 2)))
        return [self.make(shape.get("items", {"type": "string"}), depth + 1) for _ in range(count)]

    def _string(self, shape: Schema, _depth: int) -> str:
        if shape.get("format") in FORMATS:
            return FORMATS[shape["format"]]
        words = " ".join(self._chance.choice(self._words) for _ in range(3))
        least = shape.get("minLength", 0)
        while len(words) < least:
            words += f" {self._chance.choice(self._words)}"
        return words[: max(least, shape.get("maxLength", len(words)))]

    def _number(self, shape: Schema, _depth: int) -> float:
        whole = _type(shape) == "integer"
        step = shape.get("multipleOf") or (1 if whole else 0.5)
        low = shape.get("minimum", shape.get("exclusiveMinimum"))
        high = shape.get("maximum", shape.get("exclusiveMaximum"))
        if low is None:
            low = 1 if high is None else high - 10 * step
        high = low + 10 * step if high is None else high
        return self._between(shape, low, high, step)

    def _between(self, shape: Schema, low: float, high: float, step: float) -> float:
        first, last = math.ceil(low / step), math.floor(high / step)
        if first * step == shape.get("exclusiveMinimum"):
            first += 1
        if last * step == shape.get("exclusiveMaximum"):
            last -= 1
        if last < first:
            return (low + high) / 2
        return self._chance.randint(first, last) * step


def _type(shape: Schema) -> str:
    named = shape.get("type")
    if isinstance(named, list):
        return str(named[0])
    if named is None:
        return "array" if "items" in shape else "object" if "properties" in shape else "string"
    return str(named)


def _joined(schemas: list[Schema]) -> Schema:
    """One schema that asks what all of these ask (objects only: fields and required are united)."""
    if len(schemas) == 1:
        return schemas[0]
    joined: Schema = {}
    for schema in schemas:
        fields = {**joined.get("properties", {}), **schema.get("properties", {})}
        required = [*joined.get("required", []), *schema.get("required", [])]
        joined = {**joined, **schema, "properties": fields, "required": required}
    return joined

"""Embeddings as they are stored: a JSON array with one array of numbers for each text, in the order they were sent."""

import json
from collections.abc import Sequence

Vectors = Sequence[Sequence[float]]


def dump(vectors: Vectors) -> str:
    """The vectors as JSON."""
    return json.dumps([list(vector) for vector in vectors], separators=(",", ":"), allow_nan=False)


def load(text: str) -> list[list[float]]:
    """What `dump` wrote, or a provider that `misfit` found nothing wrong with."""
    found: list[list[float]] = json.loads(text)
    return found


def misfit(text: str, count: int, dimensions: int | None) -> str | None:
    """Why these are not `count` vectors, all of one length (`dimensions`, if that was asked for); None if they are."""
    try:
        found = json.loads(text, parse_constant=_no_number)
    except ValueError:
        return "The answer is no JSON of finite numbers."
    if not isinstance(found, list) or not all(_is_vector(vector) for vector in found):
        return "The answer is no list of vectors."
    if len(found) != count:
        return f"The answer has {len(found)} vectors for {count} texts."
    lengths = {len(vector) for vector in found}
    if len(lengths) > 1 or (dimensions is not None and lengths != {dimensions}):
        return f"The vectors have lengths {sorted(lengths)[:5]}."
    return None


def _no_number(word: str) -> float:
    raise ValueError(word)


def _is_vector(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(number, int | float) and not isinstance(number, bool) for number in value)
    )

"""Embeddings: each word is a direction drawn from its letters, a text is the sum of its words, one long.

So the same text gives the same vector, and texts with words in common lie closer than those with none.
"""

from __future__ import annotations

import math
import re

from shared.providers.sandbox import asks, scenery

_DIGITS = 6


def vectors(wanted: asks.Input, *, ragged: bool) -> list[list[float]]:
    """A vector for each text, of length one; `ragged` makes the last one number longer than was asked for."""
    made = [_vector(text, wanted.dimensions) for text in wanted.input]
    if ragged:
        made[-1] = [*made[-1], 0.0]
    return made


def _vector(text: str, dimensions: int) -> list[float]:
    words = re.findall(r"\w+", text.lower()) or [text]
    total = [0.0] * dimensions
    for word in words:
        chance = scenery.dice(word, 0)
        for place in range(dimensions):
            total[place] += chance.gauss(0, 1)
    length = math.sqrt(math.fsum(number * number for number in total)) or 1.0
    return [round(number / length, _DIGITS) for number in total]

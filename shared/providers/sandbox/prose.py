"""Text answers: a paragraph that uses the prompt's words, or JSON when that was asked for."""

from __future__ import annotations

import dataclasses
import re

import orjson

from shared.providers.sandbox import asks, instances, scenery

OPENINGS = (
    "Here is what can be said about {}.",
    "Let us begin with {}.",
    "The short answer concerns {}.",
)
MIDDLES = (
    "Most people meet {} before they understand {}.",
    "Where {} is rare, {} takes its place.",
    "It helps to look at {} in the light of {}.",
    "Between {} and {} lies a quiet difference.",
    "A patient eye finds {} wherever {} was.",
)
CLOSINGS = ("In the end it comes down to {}.", "That is why {} matters.")
SENTENCES = 4


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """One text with the sizes a bill would name (a word counts as a token)."""

    text: str
    media_type: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int


def write(ask: asks.Ask, number: int, *, breaks_json: bool) -> Text:
    """Text `number` of an ask; the same ask gives the same text. `breaks_json` answers in prose
    although JSON was asked for.
    """
    wanted = (ask.input.response_format or {}).get("type", "text")
    if wanted == "text" or breaks_json:
        return _finished(ask, _paragraph(ask, number), "text/plain")
    return _finished(ask, _json(ask, number), "application/json")


def _paragraph(ask: asks.Ask, number: int) -> str:
    chance = scenery.dice(ask.input.words(), ask.input.seed + number)
    words = _words(ask)
    lines = [chance.choice(OPENINGS).format(" ".join(words[:8]))]
    for _ in range(SENTENCES):
        line = chance.choice(MIDDLES).format(chance.choice(words), chance.choice(words))
        lines.append(line[0].upper() + line[1:])
    lines.append(chance.choice(CLOSINGS).format(chance.choice(words)))
    return " ".join(lines)


def _json(ask: asks.Ask, number: int) -> str:
    wanted = (ask.input.response_format or {}).get("json_schema", {})
    schema = wanted.get("schema", {"type": "object", "properties": {"answer": {"type": "string"}}})
    chance = scenery.dice(ask.input.words(), ask.input.seed + number)
    value = instances.Maker(schema, _words(ask), chance).make()
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _words(ask: asks.Ask) -> list[str]:
    return re.findall(r"\w+", ask.input.words()) or ["nothing"]


def _finished(ask: asks.Ask, text: str, media_type: str) -> Text:
    pieces = re.findall(r"\s*\S+", text)
    limit = ask.input.max_tokens or len(pieces)
    prompt = " ".join(message.text() for message in ask.input.messages) or ask.input.words()
    return Text(
        text="".join(pieces[:limit]),
        media_type=media_type,
        finish_reason="length" if limit < len(pieces) else "stop",
        prompt_tokens=len(prompt.split()),
        completion_tokens=min(limit, len(pieces)),
    )

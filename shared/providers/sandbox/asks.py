"""What a client may ask for, and the reading of it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import pydantic

from shared.providers.sandbox import variants

SMALLEST, LARGEST = 16, 4096
LONGEST_SECONDS = 120
DEFAULT_SIZES = {variants.Kind.VIDEO: "1280x720", variants.Kind.IMAGE: "1024x1024"}
DEFAULT_DURATION_SECONDS = 4.0
DIMENSIONS = 64

# Variants that misbehave "once per job" look at the part of the reference before the first of these,
# so that a second attempt of the same job (`job_1:2` after `job_1:1`) meets a healthy provider.
PREFIX_END = re.compile(r"[:./#]")


class UnreadableError(Exception):
    """The ask cannot be read. Correct the named field and ask again."""

    def __init__(self, message: str, code: str = "invalid_input", status: int = 400) -> None:
        super().__init__(message)
        self.message, self.code, self.status = message, code, status


class Message(pydantic.BaseModel):
    """One turn of a conversation; parts other than text are taken and not looked at."""

    role: str
    content: str | list[dict[str, Any]]

    def text(self) -> str:
        """The words of it."""
        if isinstance(self.content, str):
            return self.content
        return " ".join(str(part["text"]) for part in self.content if "text" in part)


class Input(pydantic.BaseModel):
    """The parameters of one generation. Unknown fields are ignored, as most providers do."""

    prompt: str | None = None
    messages: list[Message] = []
    input: Annotated[list[str], pydantic.Field(max_length=2048)] = []
    dimensions: Annotated[int, pydantic.Field(ge=1, le=4096)] = DIMENSIONS
    duration: Annotated[float, pydantic.Field(gt=0, le=LONGEST_SECONDS)] = DEFAULT_DURATION_SECONDS
    size: Annotated[str, pydantic.Field(pattern=r"^\d{1,4}x\d{1,4}$")] | None = None
    n: Annotated[int, pydantic.Field(ge=1, le=10)] = 1
    seed: int = 0
    format: Literal["png", "jpeg", "webp"] = "png"
    generate_audio: bool = False
    max_tokens: Annotated[int, pydantic.Field(ge=1)] | None = None
    response_format: dict[str, Any] | None = None
    sandbox_seconds: Annotated[float, pydantic.Field(ge=0)] | None = None
    sandbox_queue_seconds: Annotated[float, pydantic.Field(ge=0)] | None = None

    def words(self) -> str:
        """The prompt, all texts to be embedded, or the last message's text."""
        return self.prompt or " ".join(self.input) or (self.messages[-1].text() if self.messages else "")


class Ask(pydantic.BaseModel):
    """The body of `POST /v1/generations`."""

    kind: variants.Kind
    model: str
    input: Input
    reference: str = ""
    callback_url: str | None = None

    def offer(self) -> variants.Model:
        """The model asked for; only for an ask that `read` gave."""
        return variants.MODELS[self.model]

    def prefix(self) -> str:
        """What asks for the same job have in common (see PREFIX_END); the prompt without a reference."""
        return PREFIX_END.split(self.reference, maxsplit=1)[0] or self.input.words()

    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = (self.input.size or DEFAULT_SIZES[self.kind]).split("x")
        return int(width), int(height)


def read(body: bytes) -> Ask:
    """The ask in `body`; raises UnreadableError with the field's path."""
    try:
        ask = Ask.model_validate_json(body)
    except pydantic.ValidationError as error:
        raise UnreadableError(_first_fault(error)) from error
    _check(ask)
    return ask


def _first_fault(error: pydantic.ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}"


def _check(ask: Ask) -> None:
    model = variants.MODELS.get(ask.model)
    if model is None:
        raise UnreadableError(f"model: there is no {ask.model!r}", "model_not_found", 404)
    if model.kind is not ask.kind:
        raise UnreadableError(f"kind: {ask.model!r} makes {model.kind}s, not {ask.kind}s")
    if not ask.input.words().strip():
        raise UnreadableError("input.prompt: a prompt or messages are needed")
    if ask.kind in variants.MEDIA:
        _check_size(ask)


def _check_size(ask: Ask) -> None:
    if any(not SMALLEST <= side <= LARGEST for side in ask.size()):
        raise UnreadableError(f"input.size: each side must be {SMALLEST} to {LARGEST} pixels")
    if ask.kind is variants.Kind.VIDEO and any(side % 2 for side in ask.size()):
        raise UnreadableError("input.size: a video's sides must be even")

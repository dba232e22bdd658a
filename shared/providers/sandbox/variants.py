"""The models on offer and how each behaves: one table, no branches on names elsewhere.

A model name is `<kind>[-async][-<suffix>]`. Every row of `VARIANTS` is offered for each of its kinds;
`-async` exists for images and texts; videos are always asynchronous, embeddings never.
"""

from __future__ import annotations

import dataclasses
import enum


class Kind(enum.StrEnum):
    """What is made."""

    VIDEO = "video"
    IMAGE = "image"
    TEXT = "text"
    EMBEDDING = "embedding"


class Line(enum.StrEnum):
    """What happens to the line once an ask was accepted."""

    ANSWER = "answer"
    CUT_FIRST = "cut_first"
    CUT_ALWAYS = "cut_always"
    ENDLESS = "endless"


class Course(enum.StrEnum):
    """What becomes of an accepted generation."""

    SUCCEED = "succeed"
    FAIL = "fail"
    HANG = "hang"
    LOSE = "lose"


class Delivery(enum.StrEnum):
    """What a download of the result gives."""

    HONEST = "honest"
    NOTHING = "nothing"
    GARBAGE = "garbage"
    SHORT = "short"
    TRUNCATED = "truncated"
    ENDLESS = "endless"
    WRONG_TYPE = "wrong_type"
    REDIRECT = "redirect"
    PRIVATE = "private"
    EXPIRED = "expired"


ALL = frozenset({Kind.VIDEO, Kind.IMAGE, Kind.TEXT})
EVERY = frozenset(Kind)
MEDIA = frozenset({Kind.VIDEO, Kind.IMAGE})
TEXT = frozenset({Kind.TEXT})
EMBEDDING = frozenset({Kind.EMBEDDING})


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """An ask that is not accepted and costs nothing.

    `first_asks` limits it to the first so many asks of one reference prefix; None refuses always.
    `html` sends a web page instead of the JSON error.
    """

    status: int
    code: str
    message: str
    first_asks: int | None = None
    retry_after_seconds: int | None = None
    html: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Variant:
    """One way to behave. `work_seconds` None means the usual time of the kind."""

    suffix: str
    says: str
    kinds: frozenset[Kind] = ALL
    refusal: Refusal | None = None
    line: Line = Line.ANSWER
    course: Course = Course.SUCCEED
    delivery: Delivery = Delivery.HONEST
    work_seconds: float | None = None
    always_asynchronous: bool = False
    charged_on_failure: bool = False
    running_word: str = "running"
    breaks_json: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """A name that can be asked for."""

    name: str
    kind: Kind
    variant: Variant
    asynchronous: bool


POLICY = Refusal(400, "content_policy", "The prompt was refused by the content policy.")
INVALID = Refusal(400, "invalid_input", "This model refuses every input.")
DOWN = Refusal(503, "unavailable", "This model is unavailable. Ask another one.")
FLAKY = Refusal(503, "unavailable", "A passing fault. Ask again.", first_asks=1)
BUSY = Refusal(429, "throttled", "Too many asks. Wait a second.", first_asks=2, retry_after_seconds=1)
PAGE = Refusal(200, "garbage", "A web page where JSON was promised.", html=True)
ERROR_200 = Refusal(200, "overloaded", "An error behind a 200. Nothing was accepted.")

VARIANTS = (
    Variant("", "healthy and quick", EVERY),
    Variant("instant", "finished at the first look", work_seconds=0),
    Variant("slow", "20 s of steady progress", work_seconds=20, always_asynchronous=True),
    Variant("flaky", "503 at the first ask of a reference prefix", refusal=FLAKY),
    Variant("throttle", "429 at the first two asks of a reference prefix", refusal=BUSY),
    Variant("refuse", "400 content_policy", EVERY, refusal=POLICY),
    Variant("invalid", "400 invalid_input", refusal=INVALID),
    Variant("unavailable", "503 always", EVERY, refusal=DOWN),
    Variant("garbage", "200 with a web page, not accepted", refusal=PAGE),
    Variant("error200", "200 with an error inside, not accepted", refusal=ERROR_200),
    Variant("fail", "accepted, then fails, free", course=Course.FAIL),
    Variant("fail-charged", "accepted, fails, charged", course=Course.FAIL, charged_on_failure=True),
    Variant("hang", "accepted, runs for ever", course=Course.HANG, always_asynchronous=True),
    Variant("lost", "accepted, then unknown half way", course=Course.LOSE, always_asynchronous=True),
    Variant(
        "odd",
        "runs under a status word nobody knows, then succeeds",
        running_word="warming",
        work_seconds=5,
        always_asynchronous=True,
    ),
    Variant("cut", "accepts, charges, cuts the first answer of a prefix", line=Line.CUT_FIRST),
    Variant("cut-always", "accepts, charges, cuts every answer", line=Line.CUT_ALWAYS),
    Variant("no-media", "succeeds with no outputs", delivery=Delivery.NOTHING),
    Variant("garbage-output", "bytes that are no media", MEDIA, delivery=Delivery.GARBAGE),
    Variant("truncated", "body shorter than its Content-Length", MEDIA, delivery=Delivery.SHORT),
    Variant("truncated-file", "half a file, right length", MEDIA, delivery=Delivery.TRUNCATED),
    Variant("oversize", "an endless download", MEDIA, delivery=Delivery.ENDLESS),
    Variant("oversize", "an endless answer", TEXT, line=Line.ENDLESS),
    Variant("wrong-type", "image labelled video, or back", MEDIA, delivery=Delivery.WRONG_TYPE),
    Variant("redirect", "download redirects to 127.0.0.9", MEDIA, delivery=Delivery.REDIRECT),
    Variant("private", "output at a private address", MEDIA, delivery=Delivery.PRIVATE),
    Variant("expired-media", "downloads answer 410", MEDIA, delivery=Delivery.EXPIRED),
    Variant("ragged", "vectors of unequal length", EMBEDDING, breaks_json=True),
    Variant("badjson", "prose where JSON was asked for", TEXT, breaks_json=True),
)


def _models_of(variant: Variant, kind: Kind) -> list[Model]:
    tail = f"-{variant.suffix}" if variant.suffix else ""
    always = kind is Kind.VIDEO or variant.always_asynchronous
    models = [Model(f"{kind}{tail}", kind, variant, asynchronous=always)]
    if kind in (Kind.IMAGE, Kind.TEXT):
        models.append(Model(f"{kind}-async{tail}", kind, variant, asynchronous=True))
    return models


MODELS: dict[str, Model] = {
    model.name: model for variant in VARIANTS for kind in sorted(variant.kinds) for model in _models_of(variant, kind)
}

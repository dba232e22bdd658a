"""A seeded load: what is ordered, when, under which key, and what its customer does afterwards."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

HEALTHY: Sequence[tuple[str, str, int]] = (
    ("text", "sandbox/text-instant", 32),
    ("text", "sandbox/text", 8),
    ("text", "sandbox/text-async-instant", 8),
    ("text", "sandbox/text-searchable", 7),
    ("text", "sandbox/text-plain", 7),
    ("text", "sandbox/text-backed", 2),
    ("image", "sandbox/image-instant", 9),
    ("image", "sandbox/image", 3),
    ("image", "sandbox/image-async-instant", 6),
    ("image", "sandbox/image-async", 3),
    ("image", "sandbox/image-searchable", 5),
    ("image", "sandbox/image-plain", 5),
    ("video", "sandbox/video-instant", 2),
    ("video", "sandbox/video", 1),
    ("video", "sandbox/video-searchable", 1),
    ("video", "sandbox/video-plain", 1),
)
# Suffixes of the sandbox (its README.md): for every kind, then for pictures and films only.
MISBEHAVIOURS = (
    *("flaky", "throttle", "refuse", "invalid", "unavailable", "garbage", "error200", "fail", "fail-charged"),
    *("hang", "lost", "odd", "cut", "cut-always", "no-media", "slow"),
    *("cut-searchable", "cut-plain", "cut-always-searchable", "cut-always-plain"),
)
BAD_MEDIA = (
    *("garbage-output", "truncated", "truncated-file", "wrong-type", "redirect", "private", "expired-media"),
    "oversize",
)
MISBEHAVING_SHARE = 0.16
DEFAULT_ON_DOUBT = {"video": "fail", "image": "retry", "text": "retry"}
BASIC: dict[str, Json] = {
    "video": {"duration": 1, "size": "360x360"},
    "image": {"size": "256x256"},
    "text": {"max_tokens": 20},
}


@dataclass(frozen=True, slots=True)
class Order:
    """One job to be. Times are seconds from the start; `cancel_after` and `repost_after` from its acceptance."""

    number: int
    at_seconds: float
    kind: str
    body: Json
    key: str
    cancel_after: float | None = None
    repost_after: float | None = None

    @property
    def on_doubt(self) -> str:
        """The policy that holds for it, said or by default."""
        return str(self.body.get("on_doubt") or DEFAULT_ON_DOUBT[self.kind])

    @property
    def outputs(self) -> int:
        """How many outputs it must have when it is completed."""
        return int(self.body.get("n", 1))


def plan(seed: int, count: int, seconds: float, *, without: Collection[str] = ()) -> list[Order]:
    """`count` orders spread over `seconds`; the same for the same arguments. `without` names suffixes of models."""
    dice = random.Random(f"load-{seed}")  # noqa: S311 - a test's dice
    times = sorted(dice.uniform(0, seconds) for _ in range(count))
    orders = [_order(dice, seed, number, at) for number, at in enumerate(times)]
    return [order for order in orders if not order.body["model"].endswith(tuple(without))]


def _order(dice: random.Random, seed: int, number: int, at_seconds: float) -> Order:
    kind, model = _model(dice)
    body: Json = {"model": model, "prompt": f"order {number}", **BASIC[kind], "metadata": {"order": str(number)}}
    if dice.random() < 0.3:
        body["models"] = [_healthy(dice, kind) for _ in range(dice.randint(1, 2))]
    if dice.random() < 0.3:
        body["on_doubt"] = dice.choice(["fail", "retry", "fallback"])
    if dice.random() < 0.05:
        body["deadline_seconds"] = dice.randint(1, 12)
    if dice.random() < 0.04 and kind == "image":
        body["n"] = 2
    return Order(
        number=number,
        at_seconds=at_seconds,
        kind=kind,
        body=body,
        key=f"order-{seed}-{number}",
        cancel_after=dice.uniform(0, 4) if dice.random() < 0.05 else None,
        repost_after=dice.uniform(0, 20) if dice.random() < 0.06 else None,
    )


def _model(dice: random.Random) -> tuple[str, str]:
    if dice.random() >= MISBEHAVING_SHARE:
        kinds, models, weights = zip(*HEALTHY, strict=True)
        return dice.choices(list(zip(kinds, models, strict=True)), weights)[0]
    kind = dice.choices(["text", "image", "video"], [8, 4, 1])[0]
    suffix = dice.choice(MISBEHAVIOURS if kind == "text" else (*MISBEHAVIOURS, *BAD_MEDIA))
    both_ways = kind != "video" and not suffix.endswith(("searchable", "plain"))
    infix = "-async" if both_ways and dice.random() < 0.4 else ""
    return kind, f"sandbox/{kind}{infix}-{suffix}"


def _healthy(dice: random.Random, kind: str) -> str:
    fitting = [(model, weight) for of, model, weight in HEALTHY if of == kind]
    models, weights = zip(*fitting, strict=True)
    return str(dice.choices(models, weights)[0])

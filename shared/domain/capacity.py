"""How much an endpoint may be asked at once, and how long to wait when it may not. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from shared.domain import models

WINDOW_SECONDS = 60.0
LEAST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 60.0
# What a provider wishes is honoured up to here; more is taken for an error of its clock.
LONGEST_HOLD_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Demand:
    """One ask that wants a place. `slot` is the attempt's reference: wanting it twice takes one place. The limits hold
    for each of `credentials` by itself.
    """

    model: str
    provider: str
    slot: str
    credentials: Sequence[int]
    concurrency: int
    per_minute: int

    @property
    def endpoint(self) -> str:
        """`model@provider`."""
        return models.endpoint_name(self.model, self.provider)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database knows of one key at one endpoint: the references of asks in the air, the ages in seconds of
    the last minute's asks (newest first), and how long it is not to be asked.
    """

    slots: Sequence[str]
    sent_ages: Sequence[float]
    held_seconds: float


class FullError(Exception):
    """No key of the endpoint has room; try again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"no room for {seconds:.1f} s")


def room(facts: Facts, demand: Demand) -> int:
    """How many asks could go out now with this key."""
    if facts.held_seconds > 0:
        return 0
    recent = sum(1 for age in facts.sent_ages if age < WINDOW_SECONDS)
    return max(0, min(demand.concurrency - len(facts.slots), demand.per_minute - recent))


def wait_seconds(facts: Facts, demand: Demand) -> float:
    """The earliest that this key may have room, as far as that can be known."""
    if facts.held_seconds > 0:
        return facts.held_seconds
    ages = [age for age in facts.sent_ages if age < WINDOW_SECONDS]
    if len(ages) >= demand.per_minute:
        return WINDOW_SECONDS - ages[demand.per_minute - 1]
    return LEAST_WAIT_SECONDS


def pause_seconds(least_seconds: float, turned_away: int, concurrency: int, seed: str) -> float:
    """How long a job that was turned away should wait. The more were turned away in the last seconds, the longer:
    otherwise ten thousand jobs would ask for ten places twice a second. With jitter; the same for the same seed.
    """
    crowd = LEAST_WAIT_SECONDS * (1 + turned_away / concurrency)
    spread = random.Random(seed).uniform(1.0, 1.5)  # noqa: S311 - spreads load, guards nothing
    return max(least_seconds, min(crowd, LONGEST_WAIT_SECONDS)) * spread

"""One event to one receiver: when it is tried, and when it is given up."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain import backoff, envelopes, events, receivers, tries

JITTER = 0.2
LONGEST_RETRY_AFTER_SECONDS = 86400.0
SLOW_DOWN_SECONDS = 5.0
# "Not now": the receiver asks for room, or whoever stands before it does.
SLOW_DOWN = frozenset({429, 502, 503, 504})
GONE = 410


class DeliveryStatus(StrEnum):
    """`exhausted` and `dropped` are over but can be replayed, and so can `delivered`."""

    PENDING = "pending"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    DROPPED = "dropped"


OVER = frozenset(DeliveryStatus) - {DeliveryStatus.PENDING}
LOST = frozenset({DeliveryStatus.EXHAUSTED, DeliveryStatus.DROPPED})


@dataclass(frozen=True, slots=True)
class Delivery:
    """A row of `deliveries`. `step` is its place in the schedule, `try_count` counts every post ever made of it."""

    id: str
    tenant_id: str
    event_id: str
    event_type: events.EventType
    subject_id: str
    receiver_id: str
    url: str | None
    status: DeliveryStatus
    trigger: tries.Trigger
    step: int
    try_count: int
    created_at: datetime
    due_at: datetime
    finished_at: datetime | None
    last_status_code: int | None
    last_error: str | None
    fence: int
    # None: as the event itself is.
    format: envelopes.Envelope | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A claimed delivery with all that is needed to send it."""

    delivery: Delivery
    receiver: receivers.Receiver
    body: str

    @property
    def url(self) -> str:
        """Where it goes: a job's own URL, or the receiver's as it is now."""
        return self.delivery.url or self.receiver.url


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a try means: for the delivery, and for its receiver."""

    status: DeliveryStatus
    due_at: datetime
    is_strike: bool = False
    asked_pause_seconds: float | None = None
    disables: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """A try that was made, and what it means."""

    due: Due
    tried: tries.Try
    verdict: Verdict


def judge(due: Due, tried: tries.Try, retry_seconds: Sequence[float], now: datetime) -> Verdict:
    """What follows from a try: delivered, tried again, or given up. `retry_seconds` are the pauses after the first
    failure, the second, and so on; the first try is made at once.
    """
    if tried.good:
        return Verdict(DeliveryStatus.DELIVERED, now)
    wish = tried.response_headers.get("webhook-delivery", "").strip().lower()
    gone = tried.status_code == GONE or wish == "disable"
    if gone or wish == "abort-message":
        # A job's own URL that is gone says nothing of the others at its origin.
        return Verdict(DeliveryStatus.DROPPED, now, disables=gone and not due.receiver.implicit)
    asked = _asked(tried, now)
    strike = tried.status_code is None or tried.status_code in SLOW_DOWN
    slowed = max(asked or 0.0, SLOW_DOWN_SECONDS) if tried.status_code in SLOW_DOWN else None
    step = due.delivery.step
    if step >= len(retry_seconds) or due.delivery.trigger is tries.Trigger.TEST:
        return Verdict(DeliveryStatus.EXHAUSTED, now, strike, slowed)
    pause = max(spread(retry_seconds[step], f"{due.delivery.id}-{step}"), asked or 0.0)
    return Verdict(DeliveryStatus.PENDING, now + timedelta(seconds=pause), strike, slowed)


def spread(seconds: float, seed: str) -> float:
    """`seconds`, up to a fifth more: never sooner than promised."""
    return seconds * random.Random(seed).uniform(1.0, 1.0 + JITTER)  # noqa: S311 - spreads load, guards nothing


def _asked(tried: tries.Try, now: datetime) -> float | None:
    seconds = backoff.parse_retry_after(tried.response_headers.get("retry-after"), now)
    return None if seconds is None else min(seconds, LONGEST_RETRY_AFTER_SECONDS)

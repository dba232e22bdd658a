"""A customer's URL that wants events."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from shared.domain import events

HEADERS = 16
HEADER_CHARACTERS = 1024
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
# What we or HTTP itself decide.
_OURS = frozenset(
    {
        *("host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "upgrade"),
        *("te", "trailer", "expect", "keep-alive", "proxy-authorization", "proxy-connection"),
    }
)


class DisabledReason(StrEnum):
    """Why a receiver gets nothing any more."""

    BY_OWNER = "by_owner"
    GONE = "gone"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Receiver:
    """A row of `receivers`. An `implicit` one stands for all `webhook_url`s of a tenant at one origin: it has no
    events of its own, but its failures are counted like any other's.
    """

    id: str
    tenant_id: str
    implicit: bool
    url: str
    description: str
    events: tuple[events.EventType, ...] | None
    created_at: datetime
    sealed_headers: str | None
    header_names: tuple[str, ...]
    disabled_at: datetime | None
    disabled_reason: DisabledReason | None
    failures: int
    strikes: int
    failing_since_at: datetime | None
    paused_until_at: datetime | None

    @property
    def owner_id(self) -> str:
        """Whose signing keys are used."""
        return self.tenant_id if self.implicit else self.id


@dataclass(frozen=True, slots=True)
class Limits:
    """When a receiver is left alone. All of them a deployment's choice."""

    in_flight: int = 10
    strikes: int = 5
    first_pause_seconds: float = 5.0
    longest_pause_seconds: float = 60.0
    disable_after_seconds: float = 5 * 86400.0
    disable_after_failures: int = 10


@dataclass(frozen=True, slots=True)
class Health:
    """How a receiver has been doing: failures in a row, those of them that hold others up, since when, and until
    when it is left alone.
    """

    failures: int
    strikes: int
    failing_since_at: datetime | None
    paused_until_at: datetime | None


WELL = Health(0, 0, None, None)


def after_failures(
    receiver: Receiver, failures: int, strikes: int, asked_seconds: float | None, now: datetime, limits: Limits
) -> Health:
    """A receiver's health after some more failures."""
    # Tries that were in flight together failed of one cause: they may open the circuit, but not for long at once.
    total = max(min(receiver.strikes + strikes, limits.strikes), receiver.strikes + min(strikes, 1))
    pause = pause_seconds(total, asked_seconds, limits) if strikes else 0.0
    until = now + timedelta(seconds=pause) if pause else None
    both = [moment for moment in (until, receiver.paused_until_at) if moment is not None]
    return Health(receiver.failures + failures, total, receiver.failing_since_at or now, max(both, default=None))


def pause_seconds(strikes: int, asked_seconds: float | None, limits: Limits) -> float:
    """How long to leave a receiver alone after so many failures in a row of the kind that holds others up: nothing
    at first, then 5, 10, 20 … 60 s. What it asked for (Retry-After) is granted up to an hour.
    """
    grown = 0.0
    if strikes >= limits.strikes:
        grown = min(limits.first_pause_seconds * 2.0 ** min(strikes - limits.strikes, 16), limits.longest_pause_seconds)
    return max(grown, min(asked_seconds or 0.0, 3600.0))


def is_hopeless(health: Health, now: datetime, limits: Limits) -> bool:
    """Whether it has done nothing but fail for so long that it is disabled."""
    if health.failing_since_at is None or health.failures < limits.disable_after_failures:
        return False
    return now - health.failing_since_at >= timedelta(seconds=limits.disable_after_seconds)


def header_fault(headers: Mapping[str, str]) -> str | None:
    """What is wrong with a receiver's own headers, in a sentence; None if nothing is."""
    if len(headers) > HEADERS:
        return f"there may be at most {HEADERS} headers"
    if len({name.lower() for name in headers}) < len(headers):
        return "a header is named twice"
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in _OURS or name.lower().startswith("webhook-"):
            return f"the header {name[:64]!r} may not be set"
        if len(value) > HEADER_CHARACTERS or not _VALUE.fullmatch(value):
            return f"the value of {name!r} must be 1 to {HEADER_CHARACTERS} visible ASCII characters"
    return None

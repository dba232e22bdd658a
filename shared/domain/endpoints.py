"""What is known of endpoints lately. Measured from attempts, frozen, and the same for everybody who reads it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from shared.domain import faults, models

# How far back health looks, and how far back the breaker does.
WINDOW_SECONDS = 900.0
BREAKER_SECONDS = 60.0
# It opens when half of at least ten asks failed within a minute, or five in a row did.
LEAST_ASKS = 10
FAILING_SHARE = 0.5
FAILED_IN_A_ROW = 5
# An open breaker lets one probe through after this long without a failure.
OPEN_SECONDS = 15.0

# Stuck: three times as long as almost all others took lately; but a minute is never long.
STUCK_TIMES_P95 = 3.0
STUCK_FLOOR_SECONDS = 60.0
LEAST_SAMPLES = 20

# The faults an endpoint answers for. The others are the caller's, or concern a key (`Hold`).
ITS_OWN = frozenset(
    {
        faults.FaultKind.UNAVAILABLE,
        faults.FaultKind.TIMED_OUT,
        faults.FaultKind.NOT_FOUND,
        faults.FaultKind.OUTPUT_UNUSABLE,
        faults.FaultKind.IN_DOUBT,
    }
)


class Breaker(StrEnum):
    """Whether an endpoint is asked: as usual, only when nobody else is left, or by one probe at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class HoldReason(StrEnum):
    """Why an endpoint, or one key of a provider, is not asked for a while."""

    THROTTLED = "throttled"
    AUTH = "auth"
    OUT_OF_CREDIT = "out_of_credit"


@dataclass(frozen=True, slots=True)
class Hold:
    """Not to be asked before `until_at`. `subject` is an endpoint (throttled) or a provider (a key it rejected).
    `fingerprint` tells whether the key is still the same one; it reveals nothing of it.
    """

    subject: str
    credential: int
    reason: HoldReason
    until_at: datetime
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """What the breaker goes by: the last minute's asks, and the run of failures since the last success."""

    ended: int = 0
    failed: int = 0
    failed_in_a_row: int = 0
    last_failed_at: datetime | None = None
    # When the newest success was asked for: a probe counts only if it was sent after the pause.
    succeeded_sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """One endpoint over the last quarter of an hour. Nothing known: as good as any."""

    succeeded: int = 0
    failed: int = 0
    p50_seconds: float | None = None
    p95_seconds: float | None = None
    tokens_per_second: float | None = None
    in_flight: int = 0
    last_fault: faults.FaultKind | None = None
    last_fault_at: datetime | None = None
    breaker: Breaker = Breaker.CLOSED

    @property
    def samples(self) -> int:
        """How many attempts ended in a way the endpoint answers for."""
        return self.succeeded + self.failed

    @property
    def success_rate(self) -> float | None:
        """0 to 1; None when nothing is known."""
        return self.succeeded / self.samples if self.samples else None

    @property
    def outlook(self) -> float:
        """The success rate with two good asks taken for granted: what is new is given a chance."""
        return (self.succeeded + 2) / (self.samples + 2)


@dataclass(frozen=True, slots=True)
class Hour:
    """How many asks of an endpoint ended within an hour, for which it answers, and how many of them failed."""

    ended: int = 0
    failed: int = 0


# How many hours a past has: the oldest first, the last is the one that runs.
PAST_HOURS = 24

UNKNOWN = Health()
_ONE_KEY = (0,)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All endpoints at one moment. `credentials`: the keys that may be used, by provider; a provider that is not
    in it has its first key.
    """

    taken_at: datetime | None = None
    health: Mapping[str, Health] = field(default_factory=lambda: MappingProxyType({}))
    holds: tuple[Hold, ...] = ()
    credentials: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, endpoint: str) -> Health:
        """The health of an endpoint by name."""
        return self.health.get(endpoint, UNKNOWN)

    def credentials_of(self, provider: str) -> tuple[int, ...]:
        """The provider's keys that were not rejected; none when all were."""
        return self.credentials.get(provider, _ONE_KEY)

    def holds_of(self, endpoint: str, provider: str) -> tuple[Hold, ...]:
        """What keeps an endpoint from being asked."""
        return tuple(hold for hold in self.holds if hold.subject in (endpoint, provider))


NOTHING_KNOWN = Snapshot()


def breaker(run: Run, now: datetime) -> Breaker:
    """The state of a breaker, from what was measured alone: every process comes to the same answer."""
    tripped = run.failed_in_a_row >= FAILED_IN_A_ROW or (
        run.ended >= LEAST_ASKS and run.failed >= run.ended * FAILING_SHARE
    )
    if not tripped or run.last_failed_at is None:
        return Breaker.CLOSED
    half_opens_at = run.last_failed_at + timedelta(seconds=OPEN_SECONDS)
    if run.succeeded_sent_at is not None and run.succeeded_sent_at >= half_opens_at:
        return Breaker.CLOSED
    return Breaker.OPEN if now < half_opens_at else Breaker.HALF_OPEN


def stuck_seconds(limits: models.Limits, usual_seconds: float, health: Health) -> float:
    """How long an accepted attempt may run before the job goes elsewhere; never beyond the catalog's limit."""
    if health.p95_seconds is None or health.succeeded < LEAST_SAMPLES:
        return limits.stuck_seconds
    floor = max(STUCK_FLOOR_SECONDS, STUCK_TIMES_P95 * usual_seconds)
    return min(max(STUCK_TIMES_P95 * health.p95_seconds, floor), limits.stuck_seconds)


def usable_credentials(
    fingerprints: Mapping[str, tuple[str, ...]], holds: tuple[Hold, ...], now: datetime
) -> dict[str, tuple[int, ...]]:
    """The places of each provider's keys that are not held as rejected or out of credit."""
    held = {
        (hold.subject, hold.fingerprint)
        for hold in holds
        if hold.reason is not HoldReason.THROTTLED and hold.until_at > now
    }
    return {
        provider: tuple(place for place, key in enumerate(keys) if (provider, key) not in held)
        for provider, keys in fingerprints.items()
    }

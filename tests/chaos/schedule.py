"""A seeded schedule: what breaks, when, for how long. The same for the same seed and length."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared import failpoints
from tests.chaos import proxy, rig


class Kind(StrEnum):
    """Everything that is broken on purpose."""

    KILL_WORKER = "kill_worker"
    KILL_RELAY = "kill_relay"
    KILL_API = "kill_api"
    KILL_PROVIDER = "kill_provider"
    STOP_WORKER = "stop_worker"  # SIGTERM, as a rolling restart does
    PAUSE_WORKER = "pause_worker"  # SIGSTOP for longer than its lease, then SIGCONT
    PAUSE_RELAY = "pause_relay"
    PAUSE_POSTGRES = "pause_postgres"
    PAUSE_REDIS = "pause_redis"
    RESTART_REDIS = "restart_redis"
    FLUSH_REDIS = "flush_redis"
    RESTART_POSTGRES = "restart_postgres"  # immediate: no checkpoint, every line cut
    STORAGE_LINE = "storage_line"
    PROVIDER_LINE = "provider_line"
    BROKER_LINE = "broker_line"
    DATABASE_LINE = "database_line"
    PROVIDER_FAULTS = "provider_faults"  # the provider itself: 5xx, garbage, cuts before and after accepting
    FAILPOINT = "failpoint"  # the next process to reach a named place dies there


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that breaks. Those with the same `target` never overlap."""

    at_seconds: float
    kind: Kind
    target: str
    seconds: float
    toxic: proxy.Toxic | None = None
    point: failpoints.Failpoint | None = None
    seed: int = 0

    def __str__(self) -> str:
        """As it is printed in the plan."""
        toxic = f" {self.toxic.toxin} {self.toxic.amount:.2f}" if self.toxic else ""
        point = f" {self.point}" if self.point else ""
        return f"{self.at_seconds:6.1f} s  {self.kind:<16} {self.target}{toxic}{point}, {self.seconds:.1f} s"


_T = proxy.Toxin
# Nothing on the provider's line may take longer than LOOKUP_GRACE_SECONDS (docs/reliability.md, what is assumed).
TOXICS: Mapping[Kind, Sequence[tuple[proxy.Toxin, float, float]]] = {
    Kind.STORAGE_LINE: (
        *((_T.LATENCY, 0.1, 1.5), (_T.CUT, 0.05, 0.5), (_T.BANDWIDTH, 20e3, 200e3)),
        *((_T.DOWN, 0, 0), (_T.SLOW_CLOSE, 0.5, 3), (_T.ERROR, 0, 0)),
    ),
    Kind.PROVIDER_LINE: (
        *((_T.LATENCY, 0.1, 0.8), (_T.CUT, 0.05, 0.5), (_T.BANDWIDTH, 20e3, 200e3)),
        *((_T.DOWN, 0, 0), (_T.SLOW_CLOSE, 0.5, 3), (_T.ERROR, 0, 0)),
    ),
    Kind.BROKER_LINE: ((_T.LATENCY, 0.05, 0.5), (_T.CUT, 0.02, 0.3), (_T.DOWN, 0, 0)),
    Kind.DATABASE_LINE: ((_T.LATENCY, 0.01, 0.1), (_T.CUT, 0.005, 0.05), (_T.DOWN, 0, 0)),
}
TARGETS: Mapping[Kind, str] = {
    Kind.KILL_RELAY: "relay",
    Kind.KILL_API: "api",
    Kind.KILL_PROVIDER: "sandbox",
    Kind.PAUSE_RELAY: "relay",
    Kind.PAUSE_POSTGRES: "postgres",
    Kind.PAUSE_REDIS: "redis",
    Kind.RESTART_REDIS: "redis",
    Kind.FLUSH_REDIS: "redis",
    Kind.RESTART_POSTGRES: "postgres",
    Kind.STORAGE_LINE: "storage",
    Kind.PROVIDER_LINE: "provider",
    Kind.BROKER_LINE: "broker",
    Kind.DATABASE_LINE: "database",
    Kind.PROVIDER_FAULTS: "sandbox",
    Kind.FAILPOINT: "failpoints",
}
SECONDS: Mapping[Kind, tuple[float, float]] = {
    Kind.PAUSE_WORKER: (7.0, 13.0),
    Kind.PAUSE_POSTGRES: (1.0, 5.0),
    Kind.FLUSH_REDIS: (0.0, 0.0),
    Kind.STOP_WORKER: (0.0, 1.0),
    Kind.FAILPOINT: (15.0, 15.0),
}
USUAL_SECONDS = (0.2, 7.0)


def plan(seed: int, count: int, seconds: float, workers: Sequence[str], kinds: Sequence[Kind]) -> list[Fault]:
    """`count` faults spread over `seconds`: every kind once in some order, then any of them."""
    dice = random.Random(f"faults-{seed}")  # noqa: S311 - a test's dice
    order = [dice.choice(kinds) for _ in range(max(0, count - len(kinds)))]
    first = dice.sample(kinds, len(kinds))[:count]
    gap = seconds / count
    return [
        _fault(dice, kind, (place + dice.uniform(0.1, 0.9)) * gap, workers)
        for place, kind in enumerate([*first, *order])
    ]


def _fault(dice: random.Random, kind: Kind, at_seconds: float, workers: Sequence[str]) -> Fault:
    toxic = None
    if kind in TOXICS:
        toxin, least, most = dice.choice(TOXICS[kind])
        toxic = proxy.Toxic(toxin, dice.uniform(least, most))
    return Fault(
        at_seconds=at_seconds,
        kind=kind,
        target=TARGETS.get(kind) or dice.choice(workers),
        seconds=dice.uniform(*SECONDS.get(kind, USUAL_SECONDS)),
        toxic=toxic,
        point=dice.choice(rig.POINTS) if kind is Kind.FAILPOINT else None,
        seed=dice.randrange(2**31),
    )

"""Checking each part of a deployment, and saying what to do about each fault."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from shared.db import engine, processes, schema
from shared.queues import names, ping
from shared.services import canaries
from shared.storage import objects

OLDEST_POSTGRES = 150_000
OLDEST_REDIS = (6, 2)
CHECK_SECONDS = 5.0
CANARY_AGE = timedelta(seconds=60)


class Ailment(Exception):  # noqa: N818 - what a check finds, not a fault of the doctor
    """What is wrong, and what to do about it."""

    def __init__(self, wrong: str, advice: str) -> None:
        super().__init__(wrong)
        self.wrong, self.advice = wrong, advice


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `advice` is empty when all is well."""

    check: str
    said: str
    advice: str = ""

    @property
    def well(self) -> bool:
        """Whether nothing need be done."""
        return not self.advice


@dataclass(frozen=True, slots=True)
class Patient:
    """The parts to look at."""

    db: engine.Database
    store: objects.Objects
    redis_url: str


async def examine(patient: Patient) -> list[Finding]:
    """Every check, in the order in which faults explain each other. Never raises; changes nothing that stays."""
    return [await _look(name, check, patient) for name, check in _CHECKS]


async def _look(name: str, check: Callable[[Patient], Awaitable[str]], patient: Patient) -> Finding:
    try:
        return Finding(name, await check(patient))
    except Ailment as found:
        return Finding(name, found.wrong, found.advice)
    except Exception as error:  # noqa: BLE001 - whatever the driver raises is the finding
        said = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"
        return Finding(name, said, _ADVICE[name])


async def _database(patient: Patient) -> str:
    async with patient.db.transaction() as connection:
        version = await schema.server_version(connection)
    if version < OLDEST_POSTGRES:
        raise Ailment(f"Postgres {version // 10_000} is too old.", "Upgrade to Postgres 15 or newer.")
    return f"Postgres {version // 10_000}.{version % 10_000}"


async def _migrations(patient: Patient) -> str:
    async with patient.db.transaction() as connection:
        current = await schema.current(connection)
    if current != schema.head():
        raise Ailment(f"The schema is at {current}, this code at {schema.head()}.", "Run: python -m shared.db.migrate")
    return f"at {current}"


async def _broker(patient: Patient) -> str:
    found = await ping.inspect(patient.redis_url, CHECK_SECONDS)
    major, minor = (int(part) for part in found.version.split(".")[:2])
    if (major, minor) < OLDEST_REDIS:
        raise Ailment(f"Redis {found.version} is too old.", "Upgrade to Redis 6.2 or newer, or Valkey.")
    if found.eviction != "noeviction":
        raise Ailment(f"Redis evicts ({found.eviction}).", "Set maxmemory-policy to noeviction.")
    if not found.append_only:
        raise Ailment("Redis keeps no append-only file.", "Set appendonly to yes; without it a crash delays jobs.")
    return f"Redis {found.version}"


async def _storage(patient: Patient) -> str:
    await patient.store.probe()
    return "put, get, sign and delete work"


async def _workers(patient: Patient) -> str:
    async with patient.db.transaction() as connection:
        alive = await processes.alive(connection)
    if not alive:
        raise Ailment("No worker process holds a lease.", "Start one: python -m workers")
    return f"{len(alive)} alive"


async def _tasks(patient: Patient) -> str:
    ages = await canaries.ages(patient.db)
    silent = [queue for queue in names.Queue if ages.get(queue, timedelta.max) > CANARY_AGE]
    if silent:
        raise Ailment(
            f"No task came through {', '.join(silent)} for a minute.",
            "See that the relay runs (python -m workers.relay) and that it and the workers reach the same Redis.",
        )
    return "a task came through every queue"


_CHECKS: tuple[tuple[str, Callable[[Patient], Awaitable[str]]], ...] = (
    ("database", _database),
    ("migrations", _migrations),
    ("redis", _broker),
    ("storage", _storage),
    ("workers", _workers),
    ("tasks", _tasks),
)
_ADVICE = {
    "database": "See that Postgres runs, and check GENQUEUE_DATABASE_URL.",
    "migrations": "Mend the database first.",
    "redis": "See that Redis runs, and check GENQUEUE_REDIS_URL.",
    "storage": "See that the S3 server runs, and check the GENQUEUE_S3_… variables and the key's rights.",
    "workers": "Mend the database first.",
    "tasks": "Mend the database first.",
}

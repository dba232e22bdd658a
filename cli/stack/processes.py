"""The processes of genqueue itself, as data: `genqueue up` runs this list and docker-compose.yml must match it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Process:
    """One process. `{…}` in its arguments is filled in by `filled`; higher stages start later and stop earlier."""

    name: str
    argv: tuple[str, ...]
    stage: int
    once: bool = False  # runs to its end before the next stage starts
    health: str = ""  # the URL that answers 200 when it is ready; empty: running is enough
    optional: bool = False
    scales: bool = False  # may run several times, as NAME-1, NAME-2, …
    env: Mapping[str, str] = field(default_factory=dict)
    # What it imports, as far as no setting is read on the way: done while the servers start. Between any two of these
    # modules a process that is wanted by now can be forked.
    ahead: tuple[str, ...] = ()


SANDBOX = Process(
    name="sandbox",
    argv=(
        *("python", "-m", "shared.providers.sandbox"),
        *("--host", "{host}", "--port", "{sandbox_port}", "--state", "{sandbox_state}"),
    ),
    stage=1,
    health="http://{host}:{sandbox_port}/health",
    ahead=("shared.providers.sandbox.server", "typer.main"),
)
MIGRATE = Process(
    name="migrate",
    argv=("python", "-m", "shared.db.migrate"),
    stage=1,
    once=True,
    ahead=("shared.db.schema", "shared.settings", "shared.logs", "asyncpg"),
)
API = Process(
    name="api",
    argv=("python", "-m", "api", "--host", "{host}", "--port", "{port}"),
    stage=2,
    health="http://{host}:{port}/readyz",
    ahead=(
        "redis.asyncio",
        "api.parts",
        "api.app",
        "api.openai.dialect",
        "api.openrouter.dialect",
        "uvicorn.loops.uvloop",
        "typer.main",
    ),
)
RELAY = Process(
    name="relay",
    argv=("python", "-m", "workers.relay"),
    stage=2,
    ahead=(
        "kombu.transport.redis",
        "celery.app.base",
        "workers.steps.stop",
        "shared.services.due",
        "shared.services.upkeep",
    ),
)
WORKER = Process(
    name="worker",
    argv=("python", "-m", "workers"),
    stage=2,
    scales=True,
    ahead=(
        "kombu.transport.redis",
        "celery.apps.worker",
        "celery.concurrency.thread",
        "workers.process",
        "workers.steps.advance",
        "workers.steps.slices",
    ),
)
FLOWER = Process(
    name="flower",
    argv=(
        *("python", "-m", "celery", "--app", "workers.app", "flower"),
        *("--address={host}", "--port={flower_port}"),
    ),
    stage=2,
    health="http://{host}:{flower_port}/healthcheck",
    optional=True,
)

ALL: tuple[Process, ...] = (SANDBOX, MIGRATE, API, RELAY, WORKER, FLOWER)


def filled(argv: tuple[str, ...], values: Mapping[str, object]) -> tuple[str, ...]:
    """The arguments with every `{name}` replaced, and `python` as the interpreter that runs us."""
    program, *rest = (argument.format_map(values) for argument in argv)
    return (sys.executable if program == "python" else program, *rest)


def instances(process: Process, count: int) -> tuple[str, ...]:
    """The names this process runs under: `api`, but `worker-1`, `worker-2`."""
    return tuple(f"{process.name}-{number}" for number in range(1, count + 1)) if process.scales else (process.name,)

"""The whole local stack with a proxy on each line that can break, and a hand on every process."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from cli.stack import ports, stack
from shared import failpoints
from tests.chaos import proxy

LEASE_SECONDS = 6
WORKERS = 2
# One line for each outside part; the variable names who is at its other end.
LINES: Mapping[str, str] = {
    "provider": "GENQUEUE_SANDBOX_URL",
    "storage": "GENQUEUE_S3_ENDPOINT_URL",
    "broker": "GENQUEUE_REDIS_URL",
    "database": "GENQUEUE_DATABASE_URL",
}
# Only the reading of a batch's file comes to it, and this load has single jobs.
OF_BATCHES = frozenset({failpoints.Failpoint.ROWS_STORED})
POINTS = tuple(point for point in failpoints.Failpoint if point not in OF_BATCHES)
# They are what stands behind the lines, so they use none of them.
UNTOUCHED = frozenset({"sandbox", "migrate"})


# While our API is down another stack of this machine could take its port: so none that they would try.
API_PORTS = range(23_000, 32_000)


def _api_port() -> int:
    candidates = (random.choice(API_PORTS) for _ in range(1000))  # noqa: S311 - not a secret
    return next(port for port in candidates if ports.is_free(port))


def _quiet(_: str) -> None:
    """A restarted process is no news in here."""


@dataclass(slots=True, kw_only=True)
class Rig:
    """`async with Rig(folder=…, seed=…) as rig:` — the stack runs inside, whole and unpoisoned."""

    folder: Path
    seed: int
    workers: int = WORKERS
    commands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    # A failpoint that is armed kills the first process that reaches it; the rest wait for `arm`.
    armed: frozenset[failpoints.Failpoint] = frozenset()
    running: stack.Stack = field(init=False)
    lines: dict[str, proxy.Proxy] = field(init=False)

    async def __aenter__(self) -> Self:
        self._disarm_all()
        chance = random.Random(f"lines-{self.seed}")  # noqa: S311 - a test's dice
        self.lines = {name: proxy.Proxy(name, chance) for name in LINES}
        for line in self.lines.values():
            await line.open()
        self.running = stack.Stack(
            data_dir=self.folder / "data",
            port=_api_port(),
            workers=self.workers,
            temporary=True,
            usual_ports=False,
            environ=self._settings(),
            commands=self.commands,
            rewire=self._rewire,
            say=_quiet,
        )
        await self.running.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.running.stop()
        for line in self.lines.values():
            line.close()

    @property
    def names(self) -> tuple[str, ...]:
        """The worker processes."""
        return tuple(f"worker-{number}" for number in range(1, self.workers + 1))

    async def heal(self) -> None:
        """Take every toxic off every line."""
        for line in self.lines.values():
            await line.heal()

    def arm(self, point: failpoints.Failpoint) -> None:
        """From now on the first process that reaches this point dies there. May be repeated."""
        self._marker(point).unlink(missing_ok=True)

    def has_fired(self, point: failpoints.Failpoint) -> bool:
        """Whether a process died at this point since it was armed."""
        return self._marker(point).exists()

    def disarm(self, point: failpoints.Failpoint) -> None:
        """Nobody dies at this point any more."""
        self._marker(point).touch()

    def _settings(self) -> dict[str, str]:
        return {
            "GENQUEUE_LEASE_SECONDS": str(LEASE_SECONDS),
            # An endless output costs the machine more than it shows.
            "GENQUEUE_MAX_OUTPUT_BYTES": str(8 * 1024 * 1024),
            "GENQUEUE_FAILPOINTS": ",".join(f"{point}={failpoints.ONCE}" for point in failpoints.Failpoint),
            "GENQUEUE_FAILPOINTS_PATH": str(self._points),
            **self.settings,
        }

    @property
    def _points(self) -> Path:
        return self.folder / "failpoints"

    def _marker(self, point: failpoints.Failpoint) -> Path:
        return self._points / f"failpoint-{point}"

    def _disarm_all(self) -> None:
        self._points.mkdir(parents=True, exist_ok=True)
        for point in failpoints.Failpoint:
            if point not in self.armed:
                self.disarm(point)

    def _rewire(self, name: str, environment: dict[str, str]) -> dict[str, str]:
        if name in UNTOUCHED:
            return environment
        return environment | {LINES[line]: self._through(line, environment[LINES[line]]) for line in LINES}

    def _through(self, line: str, url: str) -> str:
        """The same URL with the proxy's address, and the proxy told where it leads."""
        parts = urlsplit(url)
        self.lines[line].target = (parts.hostname or proxy.HOST, parts.port or 0)
        account = parts.netloc.rpartition("@")[0]
        address = f"{proxy.HOST}:{self.lines[line].port}"
        return urlunsplit(parts._replace(netloc=f"{account}@{address}" if account else address))

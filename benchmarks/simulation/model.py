"""Jobs pass through stations that have so many servers each; what a job costs there was measured (docs/scale.md).

A station is a resource that can be busy: the cores of the machine, a process, the task threads of a worker.
"""

import random
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import simpy


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of CPU that one job takes of each process, measured on the machine that is simulated; and what it waits
    for without using any.
    """

    api: float
    relay: float
    worker: float
    postgres: float
    provider: float
    storage: float
    generator: float
    commit_wait: float
    commits: int


@dataclass(frozen=True, slots=True)
class Installation:
    """How much of everything there is. Cores are shared by all processes of the machine; a process of Python uses one
    core at most.
    """

    cores: int
    api_processes: int
    workers: int
    worker_threads: int
    submitters: int


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    finished: int = 0
    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    busy: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Jobs a second, from the first submit to the last end."""
        return self.finished / self.seconds


class Machine:
    """The stations."""

    def __init__(self, costs: Costs, made: Installation, seed: int = 1) -> None:
        self.world = simpy.Environment()
        self.costs, self.made = costs, made
        self.dice = random.Random(seed)  # noqa: S311 - spreads times, guards nothing
        self.cores = simpy.Resource(self.world, made.cores)
        self.api = simpy.Resource(self.world, made.api_processes)
        self.relay = simpy.Resource(self.world, 1)
        self.workers = simpy.Resource(self.world, made.workers)
        self.threads = simpy.Resource(self.world, made.workers * made.worker_threads)
        self.outcome = Outcome()

    def run(self, jobs: int) -> Outcome:
        """So many jobs, submitted as fast as the submitters can."""
        left = iter(range(jobs))
        for _ in range(self.made.submitters):
            self.world.process(self._submit(left))
        self.world.run()
        self.outcome.seconds = self.world.now
        return self.outcome

    def _submit(self, left: Iterator[int]) -> Generator[simpy.Event, Any, None]:
        for _ in left:
            began = self.world.now
            yield from self._compute("generator", self.costs.generator)
            with self.api.request() as process:
                yield process
                yield from self._compute("api", self.costs.api)
            yield self.world.timeout(self.costs.commit_wait)
            self.world.process(self._go_on(began))

    def _go_on(self, began: float) -> Generator[simpy.Event, Any, None]:
        with self.relay.request() as process:
            yield process
            yield from self._compute("relay", self.costs.relay)
        with self.threads.request() as thread:
            yield thread
            # A process of Python computes on one core at a time, whatever its threads; waiting gives it away.
            shares = self.costs.commits
            for _ in range(shares):
                with self.workers.request() as process:
                    yield process
                    yield from self._compute("worker", self.costs.worker / shares)
                yield from self._compute("postgres", self.costs.postgres / shares)
                yield self.world.timeout(self.costs.commit_wait)
            yield from self._compute("provider", self.costs.provider)
            yield from self._compute("storage", self.costs.storage)
        self.outcome.finished += 1
        self.outcome.waits.append(self.world.now - began)

    def _compute(self, name: str, seconds: float) -> Generator[simpy.Event, Any, None]:
        """Use one core for about so long."""
        took = seconds * self.dice.uniform(0.5, 1.5)
        with self._core() as core:
            yield core
            yield self.world.timeout(took)
        self.outcome.busy[name] = self.outcome.busy.get(name, 0.0) + took

    @contextmanager
    def _core(self) -> Iterator[simpy.Event]:
        with self.cores.request() as core:
            yield core

"""One run: a load and a schedule against the whole stack, then the checker."""

import asyncio
import collections
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from shared import failpoints
from tests.chaos import breaking, checker, customer, history, load, proxy, rig, schedule

JOBS_PER_SECOND = 7.0
SECONDS_PER_FAULT = 4.0
# Longer than any single pause of the system: backing off reaches two minutes.
SETTLE_SECONDS = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run. The same plan has the same load and the same schedule."""

    seed: int
    seconds: float
    jobs: int
    faults: int
    kinds: Sequence[schedule.Kind] = tuple(schedule.Kind)
    victims: Sequence[str] = tuple(f"worker-{number}" for number in range(1, rig.WORKERS + 1))
    stretch: float = 1.0  # how much longer than usual a fault lasts
    settle_seconds: float = SETTLE_SECONDS
    commands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    toxics: Mapping[str, proxy.Toxic] = field(default_factory=dict)  # on a line for the whole storm
    orders: Sequence[load.Order] | None = None
    keep: Path | None = None

    @classmethod
    def usual(cls, seed: int, seconds: float) -> "Plan":
        """The load and the number of faults that fit the time."""
        return cls(
            seed=seed,
            seconds=seconds,
            jobs=round(seconds * JOBS_PER_SECOND),
            faults=max(round(seconds / SECONDS_PER_FAULT), 12),
        )

    def load(self) -> list[load.Order]:
        """What is ordered."""
        return list(self.orders) if self.orders is not None else load.plan(self.seed, self.jobs, self.seconds)

    def schedule(self) -> list[schedule.Fault]:
        """What breaks."""
        made = schedule.plan(self.seed, self.faults, self.seconds, self.victims, self.kinds)
        return [replace(fault, seconds=fault.seconds * self.stretch) for fault in made]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run."""

    verdict: checker.Verdict
    faults: Sequence[schedule.Fault]
    seed: int
    story: history.History

    @property
    def line(self) -> str:
        """The line that is printed."""
        return self.verdict.line(len(self.faults), self.seed)

    @property
    def summary(self) -> str:
        """How the jobs ended, what was broken."""
        ends = collections.Counter(str(job["status"]) for job in self.story.book.last.values())
        kinds = collections.Counter(str(fault.kind) for fault in self.faults)
        return f"ended: {_counted(ends)}\nbroken: {len(kinds)} kinds: {_counted(kinds)}"


def _counted(counter: collections.Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common())


async def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Start the stack, break it under load, mend it, let it settle, and check."""
    with tempfile.TemporaryDirectory(prefix="genqueue-chaos-", ignore_cleanup_errors=True) as folder:
        async with rig.Rig(
            folder=plan.keep or Path(folder), seed=plan.seed, commands=plan.commands, settings=plan.settings
        ) as broken:
            book, breaker = customer.Book(), breaking.Breaker(broken, say)
            buyer = customer.Customer(broken.running.base_url, broken.running.admin_key, book)
            try:
                await _storm(plan, buyer, breaker, broken)
                await _calm(plan, buyer, say)
                story = await history.gather(broken, buyer)
            finally:
                await buyer.close()
                _keep_logs(plan, broken)
    outcome = Outcome(checker.check(story), breaker.done, plan.seed, story)
    _keep_story(plan, outcome)
    return outcome


async def _storm(plan: Plan, buyer: customer.Customer, breaker: breaking.Breaker, broken: rig.Rig) -> None:
    for name, toxic in plan.toxics.items():
        broken.lines[name].poison(toxic)
    async with buyer.watching(), asyncio.TaskGroup() as group:
        group.create_task(buyer.buy(plan.load()))
        group.create_task(breaker.run(plan.schedule()))
    await broken.heal()
    for point in failpoints.Failpoint:
        broken.disarm(point)


async def _calm(plan: Plan, buyer: customer.Customer, say: Callable[[str], None]) -> None:
    begun = time.monotonic()
    say(f"all is mended; {len(buyer.book.open)} of {len(buyer.book.orders)} jobs are open")
    await buyer.settle(plan.settle_seconds)
    say(f"settled after {time.monotonic() - begun:.0f} s; {len(buyer.book.open)} jobs are open")


def _keep_logs(plan: Plan, broken: rig.Rig) -> None:
    """The logs lie in the data folder, which goes with the stack."""
    if plan.keep is None:
        return
    logs = plan.keep / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    for file in broken.running.folder.logs.iterdir():
        (logs / file.name).write_bytes(file.read_bytes())


def _keep_story(plan: Plan, outcome: Outcome) -> None:
    if plan.keep is None:
        return
    story = outcome.story
    kept = {
        "line": outcome.line,
        "breaches": outcome.verdict.breaches,
        "first": story.book.first,
        "last": story.book.last,
        "asks": [asdict(ask) for ask in story.asks],
    }
    (plan.keep / "history.json").write_text(json.dumps(kept, indent=1))

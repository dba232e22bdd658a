"""The books always balance: any order of submits, ends, cancels, budgets and midnights, against a model in Python."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import stateful
from hypothesis import strategies as st

from shared import clock, errors, settings
from shared.db import engine
from shared.db.tables import metadata
from shared.domain import budgets, jobs
from shared.services import acceptance, ledger
from shared.services import budgets as budget_services
from tests.integration.tenants import money

T = TypeVar("T")
PRICE = money.price()
# Completed at this cost, which may be more than was held; or ended otherwise.
ENDS: tuple[int | str, ...] = (0, 1, PRICE, PRICE, PRICE + 1, 3 * PRICE, "fail", "cancel")
MOST_BUDGETS = 4
AS_OPERATOR = budget_services.Reach(None)


@dataclass
class Expected:
    """A budget as the model has it."""

    period: budgets.Period
    limit_micros: int
    key_id: str | None
    window_at: datetime
    spent_micros: int = 0

    def spend(self, micros: int, now: datetime) -> None:
        window_at = budgets.window_at(self.period, now)
        if window_at > self.window_at:
            self.window_at, self.spent_micros = window_at, 0
        self.spent_micros += micros


@dataclass
class World:
    """What the machine is let loose on; made anew for each run."""

    db: engine.Database
    runner: asyncio.Runner
    offset: timedelta = field(default_factory=timedelta)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)


WORLD: list[World] = []


async def begin_anew(db: engine.Database) -> None:
    """A run must not see what the one before it did: the audit looks at everything."""
    names = ", ".join(table.name for table in metadata.metadata.sorted_tables if table.name != "tenants")
    async with db.transaction() as connection:
        await connection.execute(sa.text(f"TRUNCATE {names}"))


class Books(stateful.RuleBasedStateMachine):
    """Two keys of one tenant submit; jobs end in any way, at any time, also twice; budgets come and go."""

    budgets_made = stateful.Bundle("budgets_made")

    def __init__(self) -> None:
        super().__init__()
        self.world = WORLD[0]
        self.world.offset = timedelta()
        self.world.do(begin_anew(self.world.db))
        self.worker = money.Worker(self.world.db)
        tenant_id = self.world.do(money.tenant(self.world.db))
        self.senders = [self.world.do(money.sender(self.world.db, tenant_id)) for _ in range(2)]
        self.known: dict[str, Expected] = {}
        self.held: dict[str, tuple[jobs.Job, frozenset[str]]] = {}
        self.ended: list[jobs.Job] = []
        self.news = False  # whether any job has ended since the last midnight

    def left(self, budget_id: str, now: datetime) -> int:
        budget = self.known[budget_id]
        held = sum(job.held_micros for job, ids in self.held.values() if budget_id in ids)
        current = budget.window_at >= budgets.window_at(budget.period, now)
        return budget.limit_micros - held - (budget.spent_micros if current else 0)

    def of(self, sender: acceptance.Sender) -> list[str]:
        return [name for name, budget in self.known.items() if budget.key_id in (None, sender.key_id)]

    def settle(self, job: jobs.Job, cost_micros: int) -> None:
        _, ids = self.held.pop(job.id)
        for budget_id in ids & self.known.keys():
            self.known[budget_id].spend(cost_micros, clock.now())

    @stateful.precondition(lambda self: len(self.known) < MOST_BUDGETS)
    @stateful.rule(
        target=budgets_made,
        who=st.integers(0, 2),
        period=st.sampled_from(budgets.Period),
        fits=st.integers(2, 9),
        more=st.integers(0, PRICE - 1),
    )
    def set_a_budget(self, who: int, period: budgets.Period, fits: int, more: int) -> Any:
        by, for_key = self.senders[who % 2], who < 2
        key_id = by.key_id if for_key else None
        limit = fits * PRICE + more
        wanted = money.budget(self.world.db, by, limit, period, for_key=for_key)
        if any((b.key_id, b.period) == (key_id, period) for b in self.known.values()):
            with pytest.raises(errors.ConflictError):
                self.world.do(wanted)
            return stateful.multiple()
        budget_id = self.world.do(wanted)
        self.known[budget_id] = Expected(period, limit, key_id, budgets.window_at(period, clock.now()))
        return budget_id

    @stateful.rule(budget_id=budgets_made, fits=st.integers(0, 9))
    def change_a_limit(self, budget_id: str, fits: int) -> None:
        if budget_id in self.known:
            work = budget_services.change(self.world.db, AS_OPERATOR, budget_id, fits * PRICE, clock.now())
            assert self.world.do(work).limit_micros == fits * PRICE
            self.known[budget_id].limit_micros = fits * PRICE

    @stateful.rule(budget_id=stateful.consumes(budgets_made))
    def lift_a_budget(self, budget_id: str) -> None:
        self.world.do(budget_services.delete(self.world.db, AS_OPERATOR, budget_id, clock.now()))
        del self.known[budget_id]

    @stateful.rule(who=st.integers(0, 1), n=st.integers(1, 2))
    def submit(self, who: int, n: int) -> None:
        by = self.senders[who]
        request = money.IMAGE.model_copy(update={"n": n})
        micros = money.price(request)
        fits = all(self.left(budget_id, clock.now()) >= micros for budget_id in self.of(by))
        if not fits:
            with pytest.raises(errors.BudgetExceededError):
                self.world.do(money.submit(self.world.db, by, request))
            return
        job = self.world.do(money.submit(self.world.db, by, request))
        assert job.held_micros == micros
        self.held[job.id] = (job, frozenset(self.of(by)))

    @stateful.precondition(lambda self: self.held)
    @stateful.rule(which=st.integers(0, 99), end=st.sampled_from(ENDS))
    def end_one(self, which: int, end: int | str) -> None:
        job, _ = self.held[list(self.held)[which % len(self.held)]]
        assert self.world.do(self.ending(job, end))
        self.settle(job, end if isinstance(end, int) else 0)
        self.ended.append(job)
        self.news = True

    @stateful.precondition(lambda self: self.ended)
    @stateful.rule(which=st.integers(0, 99), end=st.sampled_from(ENDS))
    def end_one_again(self, which: int, end: int | str) -> None:
        job = self.ended[which % len(self.ended)]
        if end != "cancel":
            assert not self.world.do(self.ending(job, end))

    def ending(self, job: jobs.Job, end: int | str) -> Coroutine[Any, Any, bool]:
        match end:
            case "cancel":
                return self.worker.cancel(job)
            case "fail":
                return self.worker.fail(job)
            case _:
                return self.worker.complete(job, int(end))

    @stateful.precondition(lambda self: self.news)
    @stateful.rule(days=st.integers(1, 40))
    def let_days_pass(self, days: int) -> None:
        self.world.offset += timedelta(days=days)
        self.news = False

    @stateful.invariant()
    def the_books_balance(self) -> None:
        assert self.world.do(ledger.imbalances(self.world.db)) == []
        for sender in self.senders:
            for budget in self.world.do(budget_services.of_key(self.world.db, sender.tenant_id, sender.key_id)):
                assert budget.left_at(clock.now()) == self.left(budget.id, clock.now())


def test_the_books_balance_whatever_happens(
    database: engine.Database, configured: settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with asyncio.Runner() as runner:
        world = World(engine.Database(configured.database_url.get_secret_value(), 2, "books"), runner)
        WORLD[:] = [world]
        real = clock.now
        # Jobs must not fall due or expire in the machine's future: only the books look at this clock.
        monkeypatch.setattr(clock, "now", lambda: real() + world.offset)
        monkeypatch.setattr(money, "RULES", replace(money.RULES, default_deadline_seconds=10**8))
        limits = hypothesis.settings(
            max_examples=40,
            stateful_step_count=40,
            deadline=None,
            # A run takes a second; shrinking one would take many minutes.
            phases=(hypothesis.Phase.generate,),
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        stateful.run_state_machine_as_test(Books, settings=limits)
        runner.run(world.db.close())

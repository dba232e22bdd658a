"""No sequence of claims, lease losses, late writes, cancels, polls and doubled doorbells breaks P1-P3."""

from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import stateful
from hypothesis import strategies as st

from shared import settings
from shared.db import attempts as attempt_rows
from shared.db import claims as claim_rows
from shared.db import engine
from shared.domain import states
from tests.integration.core import audit, world
from workers import loop

OWNERS = ("prc_a", "prc_b")
ROUNDS = 400
owners = st.sampled_from(OWNERS)
outcomes = st.sampled_from(list(world.Outcome))
numbers = st.integers(0, 99)


class Core(stateful.RuleBasedStateMachine):
    """Two workers that may fall silent at any time and go on as ghosts."""

    runner: loop.Loop
    database: engine.Database

    def __init__(self) -> None:
        super().__init__()
        self.do(self._clear())
        self.world = world.World(self.database)

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        self.runner.do(work)

    async def _clear(self) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(sa.text("TRUNCATE jobs, processes CASCADE"))

    @stateful.initialize(policy=st.sampled_from(list(states.OnDoubt)))
    def begin(self, policy: states.OnDoubt) -> None:
        for owner in OWNERS:
            self.do(self.world.beat(owner))
        self.do(self.world.submit(policy))

    @stateful.rule(policy=st.sampled_from(list(states.OnDoubt)))
    def submit(self, policy: states.OnDoubt) -> None:
        self.do(self.world.submit(policy))

    @stateful.rule(owner=owners, number=numbers)
    def ring(self, owner: str, number: int) -> None:
        self.do(self.world.claim(owner, self.world.job_ids[number % len(self.world.job_ids)]))

    @stateful.rule(owner=owners)
    def poll(self, owner: str) -> None:
        self.do(self.world.take_polls(owner))

    @stateful.precondition(lambda self: self.world.holds)
    @stateful.rule(number=numbers, outcome=outcomes)
    def act(self, number: int, outcome: world.Outcome) -> None:
        hold = self.world.holds[number % len(self.world.holds)]
        try:
            self.do(self.world.act(hold, outcome))
        except (claim_rows.LostClaimError, attempt_rows.StaleAttemptError):
            if hold in self.world.holds:
                self.world.drop(hold)

    @stateful.precondition(lambda self: self.world.holds)
    @stateful.rule(number=numbers)
    def crash(self, number: int) -> None:
        """A worker dies: it forgets everything it held."""
        owner = self.world.holds[number % len(self.world.holds)].owner
        self.world.holds = [hold for hold in self.world.holds if hold.owner != owner]
        self.do(self.world.fall_silent(owner))
        self.do(self.world.beat(owner))

    @stateful.rule(owner=owners)
    def freeze(self, owner: str) -> None:
        """A worker is frozen past its lease and wakes up not knowing it."""
        self.do(self.world.fall_silent(owner))
        self.do(self.world.beat(owner))

    @stateful.rule(number=numbers)
    def cancel(self, number: int) -> None:
        self.do(self.world.cancel(self.world.job_ids[number % len(self.world.job_ids)]))

    @stateful.rule(seconds=st.integers(0, 200))
    def wait(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)

    @stateful.invariant()
    def promises_hold(self) -> None:
        if hasattr(self, "world"):
            self.do(audit.audit(self.world))

    def teardown(self) -> None:
        """Every job comes to an end once its workers stay alive (P1)."""
        for owner in OWNERS:
            self.do(self.world.fall_silent(owner))
        self.world.holds.clear()
        self.do(self.world.beat("prc_last"))
        for _ in range(ROUNDS):
            if len(self.world.ended) == len(self.world.job_ids):
                return
            self._work_once()
        assert len(self.world.ended) == len(self.world.job_ids)

    def _work_once(self) -> None:
        self.world.now += timedelta(seconds=200)
        for job_id in self.world.job_ids:
            self.do(self.world.claim("prc_last", job_id))
        self.do(self.world.take_polls("prc_last"))
        while self.world.holds:
            self.do(self.world.act(self.world.holds[0], world.Outcome.DONE))
        self.do(audit.audit(self.world))


@pytest.fixture
def run(configured: settings.Settings, migrated: engine.Database) -> Iterator[Callable[[int], None]]:
    """Run the machine with so many examples; raises what it finds."""
    assert migrated is not None
    Core.runner = loop.Loop()
    Core.runner.start()
    Core.database = engine.Database(configured.database_url.get_secret_value(), 2, "machine")
    yield lambda examples: stateful.run_state_machine_as_test(Core, settings=_settings(examples))
    Core.runner.do(Core.database.close())
    Core.runner.stop()


def _settings(examples: int) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )


def test_no_sequence_breaks_the_promises(run: Callable[[int], None]) -> None:
    run(15)

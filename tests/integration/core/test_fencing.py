"""A process that was frozen and wakes up late cannot overwrite its successor; without the fence it would."""

import pytest

from shared.db import attempts as attempt_rows
from shared.db import claims as claim_rows
from shared.db import engine
from shared.domain import states
from tests.chaos import sabotage
from tests.integration.core import audit, world

LATE = (claim_rows.LostClaimError, attempt_rows.StaleAttemptError)


@pytest.fixture
async def at_work(database: engine.Database) -> world.World:
    """One job, and two workers that both believe they collect it: the first was frozen past its lease."""
    made = world.World(database)
    await made.submit(states.OnDoubt.FAIL)
    await made.beat("prc_a")
    await made.beat("prc_b")
    await made.claim("prc_a", made.job_ids[0])
    for _ in range(3):
        await made.act(made.holds[0], world.Outcome.DONE)
    await made.claim("prc_a", made.job_ids[0])
    await made.fall_silent("prc_a")
    await made.claim("prc_b", made.job_ids[0])
    assert [hold.owner for hold in made.holds] == ["prc_a", "prc_b"]
    return made


async def test_a_late_write_is_refused(at_work: world.World) -> None:
    ghost, successor = at_work.holds
    await at_work.act(successor, world.Outcome.DONE)
    await audit.audit(at_work)
    with pytest.raises(LATE):
        await at_work.act(ghost, world.Outcome.DONE)
    await audit.audit(at_work)


async def test_an_early_ghost_is_refused_too(at_work: world.World) -> None:
    ghost, successor = at_work.holds
    with pytest.raises(LATE):
        await at_work.act(ghost, world.Outcome.DONE)
    await at_work.act(successor, world.Outcome.DONE)
    await audit.audit(at_work)


async def test_without_the_fence_the_ghost_gets_through(at_work: world.World, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests above can fail."""
    ghost, _ = at_work.holds
    for statement in sabotage.STATEMENTS:
        monkeypatch.setattr(statement, "_words", sabotage.unfenced(statement))
    await at_work.act(ghost, world.Outcome.DONE)

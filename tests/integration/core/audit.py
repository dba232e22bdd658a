"""What must hold of the rows, whatever happened (promises P1-P3)."""

from typing import Any

import sqlalchemy as sa

from shared.db.tables import attempts, events, jobs
from shared.domain import states
from tests.integration.core import world

OPEN = {states.AttemptStatus.INTENDED, states.AttemptStatus.SENT}
EXCUSES = {states.AttemptStatus.FAILED, states.AttemptStatus.IN_DOUBT, states.AttemptStatus.OVERDUE}


async def audit(of: world.World) -> None:
    """Raise AssertionError for the first promise that does not hold."""
    async with of.db.transaction() as connection:
        rows = [dict(row._mapping) for row in await connection.execute(sa.select(jobs.jobs))]  # noqa: SLF001
        tries = [dict(row._mapping) for row in await connection.execute(sa.select(attempts.attempts))]  # noqa: SLF001
        facts = [dict(row._mapping) for row in await connection.execute(sa.select(events.events))]  # noqa: SLF001
    for row in rows:
        _terminal_never_changes(of, row)
        mine = [item for item in tries if item["job_id"] == row["id"]]
        _charges_are_explained(of, mine)
        _events_add_up(row, [fact for fact in facts if fact["subject_id"] == row["id"]])
        assert sum(item["status"] in OPEN for item in mine) <= 1
        assert (row["status"] in states.TERMINAL) == (row["step"] == states.Step.DONE)
        assert not (row["status"] in states.TERMINAL and row["lease_owner"])


def _terminal_never_changes(of: world.World, row: dict[str, Any]) -> None:
    if row["status"] in states.TERMINAL:
        assert of.ended.setdefault(row["id"], row) == row


def _charges_are_explained(of: world.World, mine: list[dict[str, Any]]) -> None:
    assert all(of.charges[item["reference"]] <= 1 for item in mine)
    charged = [item for item in mine if of.charges[item["reference"]]]
    assert sum(item["status"] not in EXCUSES for item in charged) <= 1, charged


def _events_add_up(row: dict[str, Any], facts: list[dict[str, Any]]) -> None:
    assert sorted(fact["sequence"] for fact in facts) == list(range(1, row["sequence"] + 1))
    ends = [fact for fact in facts if fact["type"].removeprefix("job.") in states.TERMINAL]
    assert len(ends) == (row["status"] in states.TERMINAL)

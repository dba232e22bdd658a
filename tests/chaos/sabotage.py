"""`python -m tests.chaos.sabotage RULE worker|relay`: a process of ours with one rule of its safety taken out.

Only here, and never in the code that is shipped: it shows that the checker can fail.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from shared import clock
from shared.db import asks as ask_rows
from shared.db import attempts as attempt_rows
from shared.db import claims as claim_rows
from shared.db import completion as completion_rows
from shared.db import engine, prepared, rows
from shared.db.tables import attempts as attempt_tables
from shared.db.tables import jobs as job_tables
from shared.domain import attempts, jobs, planning, routing, states
from shared.services import asks as ask_services
from shared.services import claims
from workers import __main__ as worker
from workers import context, relay
from workers.steps import submit


class Rule(StrEnum):
    """What is taken out."""

    LEASES = "leases"  # what a dead process held is never given back
    FENCING = "fencing"  # a write does not ask whose the job is now
    ATTEMPT_FIRST = "attempt_first"  # the provider is asked before the attempt is written down


# What writes to many claimed jobs at once.
STATEMENTS = (ask_rows._BEGIN, ask_rows._SEND, ask_rows._WIN, completion_rows._END)  # noqa: SLF001 - see below


def unfenced(statement: prepared.Prepared) -> str:
    """The statement without asking whose the job is now, and what its attempt has become. Raises AssertionError if
    the question is not where it is looked for: then nothing would be proven.
    """
    words = statement._words  # noqa: SLF001 - that is the sabotage
    assert claim_rows.FENCED in words
    return re.sub(r"attempts\.status IN \([^)]*\)", "true", words.replace(claim_rows.FENCED, "true"))


def commands(rule: Rule) -> Mapping[str, Sequence[str]]:
    """The arguments for the stack's workers and relay."""
    base = ("python", "-m", "tests.chaos.sabotage", str(rule))
    return {name: (*base, name) for name in ("worker", "relay")}


def _without_leases() -> None:
    async def release_dead(connection: engine.Connection) -> list[str]:
        return []

    claim_rows.release_dead = release_dead


def _without_fencing() -> None:
    async def write(connection: engine.Connection, job: jobs.Job, values: Mapping[str, Any]) -> sa.Row[Any]:
        table = job_tables.jobs
        changed = await connection.execute(
            sa.update(table).where(table.c.id == job.id).values(**values).returning(table)
        )
        row: sa.Row[Any] = changed.one()
        return row

    async def change(
        connection: engine.Connection, attempt_id: str, status: states.AttemptStatus, **values: Any
    ) -> attempts.Attempt:
        table = attempt_tables.attempts
        changed = await connection.execute(
            sa.update(table).where(table.c.id == attempt_id).values(status=status, **values).returning(table)
        )
        return rows.attempt(changed.one())

    claim_rows._write = write  # noqa: SLF001 - what writes to one claimed job go through
    attempt_rows.change = change
    for statement in STATEMENTS:
        statement._words = unfenced(statement)  # noqa: SLF001 - that is the sabotage


def _without_attempt_first() -> None:
    async def ask(
        at: context.Context, claim: claims.Claim, route: routing.Route, asks_now: Sequence[planning.Ask]
    ) -> None:
        assert route.candidates
        candidate = asks_now[0].candidate
        number = len(claim.history) + 1
        attempt = attempts.Attempt(
            id="",
            job_id=claim.job.id,
            number=number,
            model=candidate.model.id,
            provider=candidate.provider.name,
            upstream_model=candidate.endpoint.upstream_model,
            credential=0,
            status=states.AttemptStatus.SENT,
            reference=f"{claim.job.id}.{number}",
            created_at=claim.job.created_at,
        )
        adapter = at.adapter(attempt.provider, attempt.credential)
        outcome = await adapter.submit(submit._ask_of(at, claim, attempt))  # noqa: SLF001 - that is the sabotage
        now = clock.now()
        written = await ask_services.begin(at.db, claim.job, candidate, 0, number, now)
        written = await ask_services.mark_sent(at.db, claim.job, written, now)
        await submit.record(at, claim, written, outcome)

    submit._ask = ask  # noqa: SLF001 - see above


_WAYS: Mapping[Rule, Callable[[], None]] = {
    Rule.LEASES: _without_leases,
    Rule.FENCING: _without_fencing,
    Rule.ATTEMPT_FIRST: _without_attempt_first,
}


def main() -> None:
    """Take the rule out, then be the process."""
    rule, process = sys.argv[1:]
    _WAYS[Rule(rule)]()
    # Celery reads them, too.
    del sys.argv[1:]
    (worker.main if process == "worker" else relay.main)()


if __name__ == "__main__":
    main()

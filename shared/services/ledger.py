"""Whether the books balance, and letting go of holds that were forgotten."""

from datetime import datetime

from shared.db import attempts as attempt_rows
from shared.db import engine
from shared.db import jobs as job_rows
from shared.db import ledger as ledger_rows
from shared.domain import ledger
from shared.services import reservations

SWEEP_BATCH = 100


async def imbalances(db: engine.Database) -> list[ledger.Imbalance]:
    """Everything on which ledger, jobs, attempts and budgets disagree; an empty list is the promise (P7).
    Reads whole tables, in one snapshot.
    """
    async with db.snapshot() as connection:
        return await ledger_rows.imbalances(connection)


async def release_forgotten(db: engine.Database, now: datetime) -> int:
    """Settle jobs that are over and still hold money; answers how many. There should never be any: each is a fault
    of ours that would otherwise eat up a budget. Commits. May be repeated.
    """
    async with db.transaction() as connection:
        forgotten = await ledger_rows.unsettled(connection, SWEEP_BATCH)
        over = await job_rows.lock_unsettled(connection, forgotten)
        history = await attempt_rows.of_jobs(connection, [job.id for job in over])
        await reservations.settle(connection, [(job, history.get(job.id, ())) for job in over], now)
        return len(forgotten)

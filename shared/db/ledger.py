"""The ledger: entries go in, never out; and the sums that must agree with it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared import ids
from shared.db import engine, prepared, recordsets
from shared.db.tables import jobs as job_tables
from shared.db.tables import ledger as tables
from shared.domain import attempts, batches, jobs, ledger, states

_L = tables.ledger
_JOBS = job_tables.jobs
# A job that has just ended, as it was before, and all its attempts.
Settled = tuple[jobs.Job, Sequence[attempts.Attempt]]
_INSERT = prepared.Prepared(sa.text(recordsets.insert(_L, "ledger")))
# Rows of other kinds than texts go on as ordinary jobs. A release is told from others by its own id.
_SETTLE_BATCH = sa.text(
    "INSERT INTO ledger (id, tenant_id, key_id, job_id, job_kind, kind, micros, created_at, attempt_id, model, "
    "provider) SELECT v.id, :tenant, :key, v.job, 'text', 'charge', v.micros, CAST(:now AS timestamptz), "
    "v.reference, v.model, v.provider "
    "FROM unnest(CAST(:ids AS text[]), CAST(:jobs AS text[]), CAST(:references AS text[]), CAST(:models AS text[]), "
    "CAST(:providers AS text[]), CAST(:micros AS bigint[])) AS v(id, job, reference, model, provider, micros) "
    "UNION ALL SELECT :id, :tenant, :key, :batch, 'batch', 'release', -CAST(:released AS bigint), "
    "CAST(:now AS timestamptz), :id, NULL, NULL WHERE CAST(:released AS bigint) <> 0"
)


async def hold(connection: engine.Connection, job: jobs.Job, now: datetime) -> None:
    """Write down what was reserved for a job. Raises if it was before."""
    if job.held_micros:
        await _append(connection, [_entry(job, ledger.EntryKind.HOLD, job.held_micros, now)])


def held(job: jobs.Job, now: datetime) -> dict[str, Any]:
    """What `hold` would write down, for who writes down many at once."""
    return _values(_entry(job, ledger.EntryKind.HOLD, job.held_micros, now))


async def settle(connection: engine.Connection, settled: Sequence[Settled], now: datetime) -> None:
    """Write down the release of each hold, and a charge (also of 0) for each attempt that was asked.
    Raises if a job was settled before.
    """
    held = [_entry(job, ledger.EntryKind.RELEASE, -job.held_micros, now) for job, _ in settled if job.held_micros]
    charges = [_charge(job, attempt, now) for job, history in settled for attempt in history if attempt.sent_at]
    await _append(connection, [*held, *charges])


async def hold_batch(connection: engine.Connection, batch: batches.Batch, now: datetime) -> None:
    """Write down what was reserved for this generation of a batch. Raises if it was before."""
    if batch.held_micros:
        tag = f"{batch.id}.{batch.generation}"
        await _append(connection, [_batch_entry(batch, ledger.EntryKind.HOLD, batch.held_micros, tag, now)])


async def settle_batch(
    connection: engine.Connection,
    batch: batches.Batch,
    released_micros: int,
    charges: Sequence[ledger.RowCharge],
    now: datetime,
) -> None:
    """Write down what a batch lets go of, and the charges of rows that ended. Raises if one was charged before."""
    if charges or released_micros:
        own = {"tenant": batch.tenant_id, "key": batch.key_id, "batch": batch.id, "now": now}
        release = {"id": ids.new(ids.Prefix.LEDGER), "released": released_micros}
        await connection.execute(_SETTLE_BATCH, own | release | _columns(charges))


async def unsettled(connection: engine.Connection, limit: int) -> list[str]:
    """Jobs that are over and still hold money. There should be none."""
    found = await connection.execute(
        sa.select(_JOBS.c.id).where(sa.text(job_tables.UNSETTLED)).order_by(_JOBS.c.id).limit(limit)
    )
    return list(found.scalars())


async def imbalances(connection: engine.Connection) -> list[ledger.Imbalance]:
    """Everything on which ledger, jobs, attempts and budgets disagree. Reads all of them: for tests and audits."""
    found: list[ledger.Imbalance] = []
    for what, query in _AUDITS.items():
        rows = await connection.execute(sa.text(query))
        found += [ledger.Imbalance(what, row.id, int(row.expected or 0), int(row.found or 0)) for row in rows]
    return found


def _entry(job: jobs.Job, kind: ledger.EntryKind, micros: int, now: datetime) -> ledger.Entry:
    return ledger.Entry(ids.new(ids.Prefix.LEDGER), job.tenant_id, job.key_id, job.id, job.kind, kind, micros, now)


def _batch_entry(batch: batches.Batch, kind: ledger.EntryKind, micros: int, tag: str, now: datetime) -> ledger.Entry:
    return ledger.Entry(
        ids.new(ids.Prefix.LEDGER), batch.tenant_id, batch.key_id, batch.id, ledger.BATCH, kind, micros, now, tag
    )


def _columns(charges: Sequence[ledger.RowCharge]) -> dict[str, list[Any]]:
    return {
        "ids": [ids.new(ids.Prefix.LEDGER) for _ in charges],
        "jobs": [charge.job_id for charge in charges],
        "references": [charge.reference for charge in charges],
        "models": [charge.model for charge in charges],
        "providers": [charge.provider for charge in charges],
        "micros": [charge.micros for charge in charges],
    }


def _charge(job: jobs.Job, attempt: attempts.Attempt, now: datetime) -> ledger.Entry:
    return ledger.Entry(
        id=ids.new(ids.Prefix.LEDGER),
        tenant_id=job.tenant_id,
        key_id=job.key_id,
        job_id=job.id,
        job_kind=job.kind,
        kind=ledger.EntryKind.CHARGE,
        micros=attempt.cost_micros,
        created_at=now,
        attempt_id=attempt.id,
        model=attempt.model,
        provider=attempt.provider,
    )


async def _append(connection: engine.Connection, entries: Sequence[ledger.Entry]) -> None:
    if entries:
        await _INSERT.rows(connection, ledger=recordsets.text([_values(entry) for entry in entries]))


def _values(entry: ledger.Entry) -> dict[str, Any]:
    return {column.name: getattr(entry, column.name) for column in _L.columns}


# A row's job id begins as its batch's id does (domain/batches.row_id).
_BATCH_OF = f"'{ids.Prefix.BATCH}' || substr(l.job_id, 4, 20) || '0000000'"
_OVER_BATCHES = ", ".join(f"'{status}'" for status in sorted(batches.OVER))
_OVER = ", ".join(f"'{status}'" for status in sorted(states.TERMINAL))
# Each names rows where two sums differ, in micro-dollars.
_AUDITS = {
    "a job holds what its ledger entries hold": """
        SELECT j.id, j.held_micros AS expected, coalesce(sum(l.micros), 0) AS found
        FROM jobs j LEFT JOIN ledger l ON l.job_id = j.id AND l.kind IN ('hold', 'release')
        GROUP BY j.id HAVING j.held_micros <> coalesce(sum(l.micros), 0)""",
    "a job that is over was charged what its attempts cost": f"""
        SELECT j.id, coalesce(a.cost, 0) AS expected, coalesce(l.charged, 0) AS found FROM jobs j
        LEFT JOIN (SELECT job_id, sum(cost_micros) cost FROM attempts GROUP BY job_id) a ON a.job_id = j.id
        LEFT JOIN (SELECT job_id, sum(micros) charged FROM ledger WHERE kind = 'charge' GROUP BY job_id) l
          ON l.job_id = j.id
        WHERE j.status IN ({_OVER}) AND (coalesce(a.cost, 0) <> coalesce(l.charged, 0)
          OR j.cost_micros <> coalesce(l.charged, 0))""",  # noqa: S608 - our own words
    "a job that is over holds nothing": f"""
        SELECT id, 0 AS expected, held_micros AS found FROM jobs WHERE status IN ({_OVER}) AND held_micros <> 0""",  # noqa: S608
    "a budget holds what its jobs hold": """
        SELECT b.id, b.held_micros AS found, coalesce(sum(j.held_micros), 0) AS expected
        FROM budgets b LEFT JOIN (SELECT held_micros, budget_ids FROM jobs
          UNION ALL SELECT held_micros, budget_ids FROM batches) j ON b.id = ANY(j.budget_ids)
        GROUP BY b.id HAVING b.held_micros <> coalesce(sum(j.held_micros), 0)""",
    "a batch holds what its ledger entries hold": """
        SELECT b.id, b.held_micros AS expected, coalesce(sum(l.micros), 0) AS found
        FROM batches b LEFT JOIN ledger l ON l.job_id = b.id AND l.kind IN ('hold', 'release')
        GROUP BY b.number HAVING b.held_micros <> coalesce(sum(l.micros), 0)""",
    "a batch that is over holds nothing": f"""
        SELECT id, 0 AS expected, held_micros AS found FROM batches
        WHERE status IN ({_OVER_BATCHES}) AND held_micros <> 0""",  # noqa: S608
    "a batch that is over was charged what its rows cost": f"""
        SELECT b.id, b.cost_micros AS expected, coalesce(sum(l.micros), 0) AS found
        FROM batches b LEFT JOIN ledger l ON l.kind = 'charge' AND b.id = {_BATCH_OF}
        WHERE b.status IN ({_OVER_BATCHES}) GROUP BY b.number
        HAVING b.cost_micros <> coalesce(sum(l.micros), 0)""",  # noqa: S608
    "a budget has spent what was charged in its window": f"""
        WITH charges AS (
          SELECT l.micros, l.created_at, coalesce(j.budget_ids, t.budget_ids) AS budget_ids FROM ledger l
          LEFT JOIN jobs j ON j.id = l.job_id LEFT JOIN batches t ON j.id IS NULL AND t.id = {_BATCH_OF}
          WHERE l.kind = 'charge')
        SELECT b.id, b.spent_micros AS found, coalesce(sum(c.micros), 0) AS expected
        FROM budgets b LEFT JOIN charges c ON b.id = ANY(c.budget_ids) AND c.created_at >= b.window_at
        GROUP BY b.id HAVING b.spent_micros <> coalesce(sum(c.micros), 0)""",  # noqa: S608
}

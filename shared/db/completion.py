"""Ending claimed jobs: many in one statement, each only if its claim still holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import sqlalchemy as sa

from shared.db import claims, engine, events, prepared, recordsets
from shared.domain import attempts, jobs, outputs, states


@dataclass(frozen=True, slots=True)
class End:
    """How a claimed job ends: for a completed one, the attempt that made the outputs and what that costs."""

    job: jobs.Job
    status: states.JobStatus
    ending: jobs.Ending | None = None
    attempt: attempts.Attempt | None = None
    cost_micros: int = 0
    stored: Sequence[outputs.Output] = ()


_COLUMNS = {
    "status": "text",
    "progress": "smallint",
    "served_model": "text",
    "served_provider": "text",
    "error_code": "text",
    "error_message": "text",
    "billed": "text",
    "moment": "timestamptz",
    "attempt_id": "text",
    "attempt_micros": "bigint",
}
_END = prepared.Prepared(
    sa.text(f"""{claims.still_held(**_COLUMNS)},
        ended AS (
          UPDATE jobs SET status = held.status, step = 'done', lease_owner = NULL, finished_at = held.moment,
            held_micros = 0, sequence = sequence + 1, progress = coalesce(held.progress, jobs.progress),
            served_model = held.served_model, served_provider = held.served_provider,
            error_code = held.error_code, error_message = held.error_message, billed = held.billed,
            cost_micros = coalesce(held.attempt_micros, 0) + (
              SELECT coalesce(sum(attempts.cost_micros), 0) FROM attempts
              WHERE attempts.job_id = jobs.id AND attempts.id IS DISTINCT FROM held.attempt_id)
          FROM held WHERE jobs.id = held.id AND jobs.id = ANY(ARRAY(SELECT id FROM held))
          RETURNING jobs.*, {events.wanting("'job.' || jobs.status")} AS receivers
        ), charged AS (
          UPDATE attempts SET cost_micros = held.attempt_micros FROM held
          WHERE attempts.id = held.attempt_id AND attempts.id = ANY(ARRAY(SELECT attempt_id FROM held))
        ), forgotten AS (
          DELETE FROM attempt_bodies WHERE attempt_id = ANY(ARRAY(
            SELECT attempts.id FROM attempts WHERE attempts.job_id = ANY(ARRAY(SELECT id FROM held))))
        )
        SELECT * FROM ended""")  # noqa: S608 - our own words; the values are parameters
)


async def end(
    connection: engine.Connection, ends: Sequence[End], now: datetime, patience: str
) -> dict[str, asyncpg.Record]:
    """End those that are still claimed, and forget what came inline for them: it is in the storage, or of no use.
    Answers their rows by id, with the `receivers` that want to hear of it and the event's number. From here to the end
    of the transaction, `patience` is how long any lock is waited for (Postgres' words).
    """
    given = recordsets.text([_given(each, now) for each in ends])
    rows = await _END.rows(connection, given=given, patience=patience)
    return {row["id"]: row for row in rows}


def _given(end: End, now: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {"status": end.status, "moment": now}
    if end.attempt is not None:
        values |= {"served_model": end.attempt.model, "served_provider": end.attempt.provider, "progress": 100}
        values |= {"attempt_id": end.attempt.id, "attempt_micros": 0 if end.job.is_test else end.cost_micros}
    if end.ending is not None:
        values |= {"error_code": end.ending.error_code, "error_message": end.ending.error_message}
        values |= {"billed": end.ending.billed}
    return claims.given(end.job, **values)

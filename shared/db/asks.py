"""What is written down about asks of providers, for many jobs in one statement: before they are sent, as they are sent,
and when the answer is the result. Each job is written to only if its claim still holds; the others go on without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import asyncpg
import sqlalchemy as sa

from shared.db import attempts as attempt_rows
from shared.db import claims, engine, events, prepared, recordsets, rows
from shared.db.tables import attempts as tables
from shared.domain import attempts, jobs, outputs, states
from shared.domain import events as domain_events


@dataclass(frozen=True, slots=True)
class Intention:
    """An attempt that is to be made for a claimed job, and the decision that led to it, to be kept with the request."""

    job: jobs.Job
    attempt: attempts.Attempt
    decision: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Sending:
    """An attempt of a claimed job that is about to be sent."""

    job: jobs.Job
    attempt: attempts.Attempt
    now: datetime


@dataclass(frozen=True, slots=True)
class Win:
    """An attempt of a claimed job with what its provider delivered; `upstream_id` if it is news."""

    job: jobs.Job
    attempt: attempts.Attempt
    sources: Sequence[outputs.Source]
    usage: outputs.Usage | None
    upstream_id: str | None
    now: datetime


def _from(status: states.AttemptStatus) -> str:
    """Whether an attempt may become `status`."""
    sources = ", ".join(f"'{source}'" for source in sorted(states.sources_of(status)))
    return f"attempts.status IN ({sources})"


_BEGIN = prepared.Prepared(
    sa.text(f"""{claims.still_held(attempt_id="text", decision="json")},
        pointed AS (
          UPDATE jobs SET attempt_id = held.attempt_id FROM held
          WHERE jobs.id = held.id AND jobs.id = ANY(ARRAY(SELECT id FROM held))
        ), made AS (
          {recordsets.insert(tables.attempts, "attempts", "job_id IN (SELECT id FROM held)")}
        ), noted AS (
          UPDATE requests SET route = route || jsonb_build_array(held.decision) FROM held
          WHERE job_id = held.id AND job_id = ANY(ARRAY(SELECT id FROM held)) AND held.decision IS NOT NULL
        )
        SELECT id FROM held""")  # noqa: S608 - our own words; the values are parameters
)
_SEND = prepared.Prepared(
    sa.text(f"""{claims.still_held(attempt_id="text", moment="timestamptz")},
        sent AS (
          UPDATE attempts SET status = 'sent', sent_at = held.moment, ask_count = 1 FROM held
          WHERE attempts.id = held.attempt_id AND attempts.id = ANY(ARRAY(SELECT attempt_id FROM held))
            AND ({_from(states.AttemptStatus.SENT)} OR attempts.status = 'sent' AND attempts.sent_at = held.moment)
          RETURNING held.*
        ), started AS (
          UPDATE jobs SET status = 'in_progress', started_at = sent.moment, sequence = sequence + 1 FROM sent
          WHERE jobs.id = sent.id AND jobs.id = ANY(ARRAY(SELECT id FROM sent)) AND jobs.status = 'queued'
          RETURNING jobs.*, {events.wanting(f"'{domain_events.EventType.JOB_STARTED}'")} AS receivers
        )
        SELECT held.id AS held, sent.id AS sent, started.*
        FROM held LEFT JOIN sent ON sent.id = held.id LEFT JOIN started ON started.id = held.id""")  # noqa: S608
)
_WIN = prepared.Prepared(
    sa.text(f"""{claims.still_held(attempt_id="text", moment="timestamptz")},
        won AS (
          UPDATE attempts SET status = 'succeeded', sources = told.sources, usage = told.usage,
            finished_at = held.moment, upstream_id = coalesce(told.upstream_id, attempts.upstream_id)
          FROM held JOIN {recordsets.of(tables.attempts, "attempts")} AS told ON told.id = held.attempt_id
          WHERE attempts.id = held.attempt_id AND attempts.id = ANY(ARRAY(SELECT attempt_id FROM held))
            AND {_from(states.AttemptStatus.SUCCEEDED)}
          RETURNING held.*
        ), moved AS (
          UPDATE jobs SET step = 'collect', due_at = won.moment FROM won
          WHERE jobs.id = won.id AND jobs.id = ANY(ARRAY(SELECT id FROM won)) RETURNING jobs.*
        )
        SELECT held.id AS held, moved.* FROM held LEFT JOIN moved ON moved.id = held.id""")  # noqa: S608
)


async def begin(connection: engine.Connection, wanted: Sequence[Intention]) -> set[str]:
    """Write down the intentions, before anybody is asked; answers the ids of the jobs that are still claimed."""
    own = [claims.given(each.job, attempt_id=each.attempt.id, decision=each.decision) for each in wanted]
    values = {"given": recordsets.text(own), "attempts": recordsets.text([_columns(each.attempt) for each in wanted])}
    return {row["id"] for row in await _BEGIN.rows(connection, **values, patience=claims.PATIENCE)}


async def send(connection: engine.Connection, wanted: Sequence[Sending]) -> dict[str, asyncpg.Record]:
    """Write down that these asks are about to leave, and start those jobs that were queued. By the id of each job that
    is still claimed: its row if it was started, with `receivers` and the event's number; `sent` is None if the attempt
    could not become so. May be repeated, if it is not known whether it was committed: what became so at that very
    `now` is no other's, and there is no second event.
    """
    own = [claims.given(each.job, attempt_id=each.attempt.id, moment=each.now) for each in wanted]
    found = await _SEND.rows(connection, given=recordsets.text(own), patience=claims.PATIENCE)
    return {row["held"]: row for row in found}


async def win(connection: engine.Connection, won: Sequence[Win]) -> dict[str, jobs.Job | None]:
    """Keep what was delivered; each job is to be collected next. By the id of each job that is still claimed: how it is
    now, or None if the attempt could not succeed. Bytes that came inline are another statement: needs a transaction.
    """
    own = [claims.given(each.job, attempt_id=each.attempt.id, moment=each.now) for each in won]
    values = {"given": recordsets.text(own), "attempts": recordsets.text([_told(each) for each in won])}
    told = await _WIN.rows(connection, **values, patience=claims.PATIENCE)
    found = {row["held"]: rows.job(row) if row["id"] else None for row in told}
    await attempt_rows.keep_bodies(
        connection, {each.attempt.id: each.sources for each in won if found.get(each.job.id)}
    )
    return found


def _columns(attempt: attempts.Attempt) -> dict[str, Any]:
    return {column.name: getattr(attempt, column.name) for column in tables.attempts.columns} | {"sources": None}


def _told(won: Win) -> dict[str, Any]:
    return {
        "id": won.attempt.id,
        "sources": [rows.source(source) for source in won.sources],
        "usage": asdict(won.usage) if won.usage else None,
        "upstream_id": won.upstream_id,
    }

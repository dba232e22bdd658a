"""Rows of batches, always many at once. Whoever moves rows gets their counts back, to move those of the batch in the
same transaction.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from shared.db import copies, engine, rows
from shared.db.tables import batch_rows as tables
from shared.domain import attempts, batch_rows, batches, faults, ledger, slices, states

CHUNK_ROWS = 5000

_R = tables.batch_rows
_Status = batch_rows.RowStatus

# Made once: a turn of a slice, which comes many times a second, has no time to build them.
_OF_BATCH = _R.c.batch_number == sa.bindparam("batch")
_DUE = (
    sa.select(_R)
    .where(
        _OF_BATCH,
        _R.c.due_at <= sa.bindparam("now"),
        _R.c.slice.is_(None),
        _R.c.job_id.is_(None),
        sa.or_(_R.c.status == _Status.QUEUED, _R.c.status == _Status.IN_PROGRESS),
    )
    .order_by(_R.c.due_at)
    .limit(sa.bindparam("most"))
)
_FRESH = (
    sa.select(_R)
    .where(_OF_BATCH, _R.c.number > sa.bindparam("cursor"), _R.c.status == _Status.QUEUED, _R.c.due_at.is_(None))
    .order_by(_R.c.number)
    .limit(sa.bindparam("most"))
)
_FOUND = sa.union_all(_DUE, _FRESH).subquery()
# Of fresh rows always the first: the batch's cursor goes on behind the last one that was taken.
_PICK = sa.select(_FOUND).order_by(_FOUND.c.due_at.nulls_last(), _FOUND.c.number).limit(sa.bindparam("most"))
# The numbers are named twice: by a join alone, Postgres may well read every row of the batch to find some.
_FINISH = sa.text(
    "UPDATE batch_rows AS r SET status = v.status, slice = NULL, due_at = v.due_at, "
    "sent_at = CASE WHEN v.keep THEN r.sent_at END, finished_at = v.finished_at, output = v.output, "
    "error_code = v.code, error_message = v.message, cost_micros = r.cost_micros + v.cost, "
    "history = CASE WHEN v.history IS NULL THEN r.history "
    "ELSE coalesce(r.history, '[]'::jsonb) || CAST(v.history AS jsonb) END "
    "FROM unnest(CAST(:numbers AS int[]), CAST(:statuses AS text[]), CAST(:due AS timestamptz[]), "
    "CAST(:finished AS timestamptz[]), CAST(:outputs AS text[]), CAST(:codes AS text[]), "
    "CAST(:messages AS text[]), CAST(:costs AS bigint[]), CAST(:histories AS text[]), "
    "CAST(:keep AS boolean[])) "
    "AS v(number, status, due_at, finished_at, output, code, message, cost, history, keep) "
    "WHERE r.batch_number = :batch AND r.number = ANY(CAST(:numbers AS int[])) AND r.number = v.number "
    "AND r.slice IS NOT DISTINCT FROM CAST(:slice AS bigint) "
    "RETURNING r.number, r.status, r.generation, r.attempt, r.model, r.provider, r.cost_micros, r.history"
)


async def allow_long(connection: engine.Connection) -> None:
    """Let the statements of this transaction take up to copies.LONG_SECONDS."""
    await connection.execute(sa.text(f"SET LOCAL statement_timeout = '{copies.LONG_SECONDS}s'"))


async def gauge(connection: engine.Connection) -> None:
    """Have Postgres count anew: of a batch it has not counted it believes that there are a handful of rows, and reads
    all that are left to find the next. Not done while somebody else does it.
    """
    await connection.execute(sa.text("ANALYZE (SKIP_LOCKED) batch_rows"))


async def mark_duplicates(connection: engine.Connection, batch_number: int) -> int:
    """Turn queued rows whose `custom_id` an earlier row has into invalid ones; how many there were."""
    changed = await connection.execute(
        sa.text(
            "WITH named AS (SELECT number, row_number() OVER w AS place, first_value(line) OVER w AS first_line "
            "FROM batch_rows WHERE batch_number = :batch AND custom_id IS NOT NULL AND status = 'queued' "
            "WINDOW w AS (PARTITION BY custom_id ORDER BY number)) "
            "UPDATE batch_rows AS r SET status = 'invalid', error_code = 'duplicate_custom_id', "
            "error_message = 'Line ' || named.first_line || ' has the same custom_id.' "
            "FROM named WHERE named.place > 1 AND r.batch_number = :batch AND r.number = named.number"
        ),
        {"batch": batch_number},
    )
    return changed.rowcount


async def drop_all(connection: engine.Connection, batch_number: int) -> None:
    """Forget every row of a batch whose file could not be read to its end."""
    await connection.execute(sa.delete(_R).where(_R.c.batch_number == batch_number))


async def pick(connection: engine.Connection, batch: batches.Batch, limit: int, now: datetime) -> list[batch_rows.Row]:
    """Up to `limit` rows that may be worked on: those whose moment has come, then those whose turn it is. The caller
    holds the batch's lock, so nobody picks the same ones.
    """
    values = {"batch": batch.number, "cursor": batch.cursor, "now": now, "most": limit}
    return [row_of(row) for row in await connection.execute(_PICK, values)]


async def finish(
    connection: engine.Connection, batch: batches.Batch, slice_number: int | None, outcomes: Sequence[slices.Outcome]
) -> list[batch_rows.Written]:
    """Write back rows this slice has in hand (None: rows just picked, in nobody's hand); answers those it still had.
    Rows taken up by another since are left alone.
    """
    values = {"batch": batch.number, "slice": slice_number, **_columns(outcomes)}
    changed = await connection.execute(_FINISH, values)
    return [batch_rows.Written(row.number, _charges(batch, row)) for row in changed]


def _charges(batch: batches.Batch, row: sa.Row[Any]) -> tuple[ledger.RowCharge, ...]:
    """One charge (also of 0) an attempt that was asked, as for single jobs, once the row has ended as a row. One that
    an ordinary job carries on is charged with that job: all its attempts, once.
    """
    if row.status in (_Status.QUEUED, _Status.IN_PROGRESS):
        return ()
    job_id = batches.row_id(batch.id, row.generation, row.number)

    def charge(number: int, model: str, provider: str, micros: int) -> ledger.RowCharge:
        return ledger.RowCharge(job_id, f"{job_id}.{number}", model, provider, micros)

    past = row.history or []
    made = [charge(item["number"], item["model"], item["provider"], item.get("cost_micros", 0)) for item in past]
    if row.status == _Status.COMPLETED:
        made.append(charge(row.attempt, row.model, row.provider, row.cost_micros - sum(item.micros for item in made)))
    return tuple(made)


def _columns(outcomes: Sequence[slices.Outcome]) -> dict[str, list[Any]]:
    return {
        "numbers": [item.number for item in outcomes],
        "statuses": [str(item.status) for item in outcomes],
        "due": [item.due_at for item in outcomes],
        "finished": [item.finished_at for item in outcomes],
        "outputs": [item.output for item in outcomes],
        "codes": [item.fault.kind if item.fault else None for item in outcomes],
        "messages": [item.fault.message if item.fault else None for item in outcomes],
        "costs": [item.cost_micros for item in outcomes],
        "histories": [_attempt_as_json(item.ended) if item.ended else None for item in outcomes],
        # A completed row keeps the moment it was asked; an open attempt is known by it.
        "keep": [item.is_open or item.status is _Status.COMPLETED for item in outcomes],
    }


async def put_off(
    connection: engine.Connection, batch: batches.Batch, numbers: Sequence[int], due_at: datetime
) -> None:
    """Have these rows, which were just picked and are in nobody's hand, looked at again at `due_at`."""
    await connection.execute(
        sa.update(_R).where(_R.c.batch_number == batch.number, _R.c.number.in_(numbers)).values(due_at=due_at)
    )


async def stop_waiting(
    connection: engine.Connection, batch: batches.Batch, ending: states.JobStatus, now: datetime
) -> tuple[Counter[str], list[batch_rows.Written]]:
    """End up to CHUNK_ROWS rows that nobody has in hand and no job carries; how many had which status, and the rows."""
    code = "cancelled" if ending is states.JobStatus.CANCELLED else "deadline_exceeded"
    changed = await connection.execute(
        sa.text(
            "WITH waiting AS (SELECT number, status FROM batch_rows WHERE batch_number = :batch "
            "AND status IN ('queued', 'in_progress') AND slice IS NULL AND job_id IS NULL LIMIT :limit FOR UPDATE) "
            "UPDATE batch_rows AS r SET status = :ending, due_at = NULL, finished_at = :now, "
            "error_code = :code, error_message = :message FROM waiting "
            "WHERE r.batch_number = :batch AND r.number = waiting.number RETURNING waiting.status AS before, "
            "r.number, r.status, r.generation, r.attempt, r.model, r.provider, r.cost_micros, r.history"
        ),
        {
            "batch": batch.number,
            "limit": CHUNK_ROWS,
            "ending": str(ending),
            "now": now,
            "code": code,
            "message": "The batch was cancelled." if code == "cancelled" else "The batch's time was over.",
        },
    )
    found = list(changed)
    written = [batch_rows.Written(row.number, _charges(batch, row)) for row in found]
    return Counter(row.before for row in found), written


async def reset(
    connection: engine.Connection, batch: batches.Batch, after: int, now: datetime
) -> tuple[int, Counter[str]]:
    """Put failed, cancelled and expired rows of the next CHUNK_ROWS back into the queue as the batch's generation,
    their outcome kept in `past`; answers the last row looked at, and how many had which status.
    """
    last = after + CHUNK_ROWS
    changed = await connection.execute(
        sa.text(
            "WITH bad AS (SELECT number, status FROM batch_rows WHERE batch_number = :batch AND number > :after "
            "AND number <= :last AND status IN ('failed', 'cancelled', 'expired') FOR UPDATE) "
            "UPDATE batch_rows AS r SET status = 'queued', generation = :generation, due_at = :now, attempt = 0, "
            "asks = 0, sent_at = NULL, started_at = NULL, finished_at = NULL, error_code = NULL, error_message = NULL, "
            "job_id = NULL, history = NULL, cost_micros = 0, "
            "past = coalesce(r.past, '[]'::jsonb) || jsonb_build_object('generation', r.generation, "
            "'status', r.status, 'finished_at', r.finished_at, 'error_code', r.error_code, "
            "'error_message', r.error_message, 'cost_micros', r.cost_micros, 'history', coalesce(r.history, '[]')) "
            "FROM bad WHERE r.batch_number = :batch AND r.number = bad.number RETURNING bad.status"
        ),
        {"batch": batch.number, "after": after, "last": last, "generation": batch.generation, "now": now},
    )
    return last, Counter(changed.scalars())


async def next_due(connection: engine.Connection, batch_number: int) -> datetime | None:
    """When the next row of the batch may be tried again."""
    waiting = sa.select(sa.func.min(_R.c.due_at)).where(
        _R.c.batch_number == batch_number, _R.c.due_at.is_not(None), _R.c.slice.is_(None)
    )
    moment: datetime | None = (await connection.execute(waiting)).scalar_one()
    return moment


def row_of(row: rows.Row) -> batch_rows.Row:
    """A row from a row of `batch_rows`."""
    found: Any = row._mapping if isinstance(row, sa.Row) else row  # noqa: SLF001 - documented accessor
    values = {name: found[name] for name in batch_rows.Row.__slots__}
    values["status"] = _Status(values["status"])
    values["cells"] = tuple(values["cells"])
    values["history"] = tuple(_attempt_of_json(item) for item in values["history"] or ())
    values["past"] = tuple(_past_of_json(item) for item in values["past"] or ())
    return batch_rows.Row(**values)


def _attempt_as_json(attempt: attempts.Attempt) -> str:
    kept = {name: value for name, value in asdict(attempt).items() if value is not None and name != "sources"}
    return orjson.dumps(kept).decode()


def _attempt_of_json(stored: Mapping[str, Any]) -> attempts.Attempt:
    moments = ("created_at", "sent_at", "accepted_at", "finished_at")
    values = {**stored, **{name: datetime.fromisoformat(stored[name]) for name in moments if stored.get(name)}}
    values["status"] = states.AttemptStatus(values["status"])
    if values.get("fault"):
        values["fault"] = faults.FaultKind(values["fault"])
    return attempts.Attempt(**values)


def _past_of_json(stored: Mapping[str, Any]) -> batch_rows.Past:
    finished = stored["finished_at"]
    return batch_rows.Past(
        **{
            **stored,
            "status": _Status(stored["status"]),
            "finished_at": datetime.fromisoformat(finished) if finished else None,
            "history": tuple(_attempt_of_json(item) for item in stored["history"]),
        }
    )


def statuses(found: Iterable[slices.Outcome]) -> Counter[str]:
    """How many outcomes have which status."""
    return Counter(str(item.status) for item in found)

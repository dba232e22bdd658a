"""Writing back many tries at once: what was tried, what became of the delivery, how its receiver is doing."""

from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from shared.db import engine, prepared, rows
from shared.db.tables import receivers as receiver_tables
from shared.db.tables import tries as tables
from shared.domain import deliveries, receivers, tries

_T, _R = tables.tries, receiver_tables.receivers
_TYPES = {
    "delivery_id": "text",
    "fence": "bigint",
    "status": "text",
    "due_at": "timestamptz",
    "number": "int",
    "trigger": "text",
    "started_at": "timestamptz",
    "duration_seconds": "double precision",
    "status_code": "smallint",
    "error": "text",
    "address": "text",
    "response_head": "bytea",
    "response_headers": "text",
}
# "lease_owner = :owner" would let the planner read all that is held, of which it knows nothing, once for each try.
_WRITE = prepared.Prepared(
    sa.text(f"""
WITH made AS MATERIALIZED (
  SELECT * FROM unnest({", ".join(f"CAST(:{name} AS {type_}[])" for name, type_ in _TYPES.items())})
  AS made({", ".join(_TYPES)})
), written AS (
  UPDATE deliveries SET
    lease_owner = NULL, status = made.status, due_at = made.due_at, step = step + 1, try_count = try_count + 1,
    last_status_code = made.status_code, last_error = made.error,
    finished_at = CASE WHEN made.status <> 'pending' THEN made.due_at END
  FROM made WHERE deliveries.id = made.delivery_id AND deliveries.fence = made.fence
    AND deliveries.lease_owner IS NOT DISTINCT FROM :owner
  RETURNING deliveries.id
)
INSERT INTO tries (delivery_id, number, trigger, started_at, duration_seconds, status_code, error, address,
  response_head, response_headers)
SELECT delivery_id, number, trigger, started_at, duration_seconds, status_code, error, address,
  response_head, CAST(response_headers AS jsonb)
FROM made JOIN written ON written.id = made.delivery_id
RETURNING delivery_id
""")  # noqa: S608 - constants
)


async def of_delivery(connection: engine.Connection, delivery_id: str) -> list[tries.Try]:
    """All tries of a delivery, in order."""
    found = await connection.execute(sa.select(_T).where(_T.c.delivery_id == delivery_id).order_by(_T.c.number))
    return [rows.tried(row) for row in found]


async def write(
    connection: engine.Connection, owner: str, outcomes: Sequence[deliveries.Outcome]
) -> list[deliveries.Outcome]:
    """Give back or end the deliveries these tries were made for and record the tries; answers those that were still
    ours. What was claimed by someone else since is left alone.
    """
    # One that was given back by a sweep and claimed here again may be among them twice: only its last claim can hold.
    by_fence = sorted(outcomes, key=lambda outcome: outcome.due.delivery.fence)
    last = {outcome.due.delivery.id: outcome for outcome in by_fence}
    values = zip(_TYPES, zip(*map(_values, last.values()), strict=True), strict=True)
    written = await _WRITE.rows(connection, owner=owner, **dict(values))
    return [last[row["delivery_id"]] for row in written]


def _values(outcome: deliveries.Outcome) -> tuple[Any, ...]:
    """In the order of `_TYPES`."""
    delivery, tried, verdict = outcome.due.delivery, outcome.tried, outcome.verdict
    return (
        *(delivery.id, delivery.fence, verdict.status, verdict.due_at, tried.number, tried.trigger, tried.started_at),
        *(tried.duration_seconds, tried.status_code, tried.error, tried.address, tried.response_head),
        orjson.dumps(tried.response_headers).decode(),
    )


def _lock() -> prepared.Prepared:
    troubled = sa.or_(_R.c.failures > 0, _R.c.strikes > 0, _R.c.paused_until_at.is_not(None))
    well = sa.and_(_R.c.id == prepared.any_of("succeeded"), troubled)
    wanted = sa.or_(_R.c.id == prepared.any_of("failed"), well)
    return prepared.Prepared(sa.select(_R).where(wanted).order_by(_R.c.id).with_for_update(key_share=True))


_LOCK = _lock()


async def lock_receivers(
    connection: engine.Connection, failed: Sequence[str], succeeded: Sequence[str]
) -> dict[str, receivers.Receiver]:
    """The receivers to be written to: those that failed, and those that did well but not before. Locked in one
    order, so that two processes never wait for each other.
    """
    found = await _LOCK.rows(connection, failed=failed, succeeded=succeeded)
    return {row["id"]: rows.receiver(row) for row in found}


async def note_health(connection: engine.Connection, receiver_id: str, health: receivers.Health) -> None:
    """Write how a locked receiver is doing."""
    await connection.execute(
        sa.update(_R)
        .where(_R.c.id == receiver_id)
        .values(
            failures=health.failures,
            strikes=health.strikes,
            failing_since_at=health.failing_since_at,
            paused_until_at=health.paused_until_at,
        )
    )

"""Whom to ring for: tenants take turns by weight, within a tenant the earliest turn goes first.

Doorbells of new jobs are rung only for as many as workers may soon take (the window). So the broker's queue stays
short, and the first job of a tenant goes ahead of the hundred thousandth of another.
"""

from datetime import datetime

import sqlalchemy as sa

from shared.db import engine
from shared.db.tables import jobs as tables

# One relay at a time deals out turns; a second finds nothing to do.
_LOCK = 7_310_003

# 1. The (tenant, key) pairs that wait, by hopping through the index from one to the next: its cost is the number
#    of pairs, not of jobs. 2. For each, how many it may still have in flight, and its next jobs. 3. Each job's
#    place among its tenant's; those already rung for count. 4. Place by weight decides, then the older turn.
DEAL = f"""
WITH RECURSIVE pairs AS (
  (SELECT tenant_id, key_id FROM jobs WHERE {tables.WAITING} ORDER BY tenant_id, key_id LIMIT 1)
  UNION ALL
  SELECT next.tenant_id, next.key_id FROM pairs CROSS JOIN LATERAL (
    SELECT tenant_id, key_id FROM jobs
    WHERE {tables.WAITING} AND (tenant_id, key_id) > (pairs.tenant_id, pairs.key_id)
    ORDER BY tenant_id, key_id LIMIT 1
  ) AS next
), rung AS (
  SELECT tenant_id, count(*) AS rung FROM jobs WHERE {tables.RUNG} GROUP BY tenant_id
), room AS (
  SELECT pairs.tenant_id, pairs.key_id, CASE WHEN keys.max_in_flight IS NULL THEN :slots
    ELSE least(:slots, keys.max_in_flight - (
      SELECT count(*) FROM jobs WHERE jobs.key_id = pairs.key_id AND ({tables.IN_FLIGHT}))) END AS room
  FROM pairs LEFT JOIN keys ON keys.id = pairs.key_id
), waiting AS (
  SELECT room.tenant_id, job.id, job.turn_at FROM room CROSS JOIN LATERAL (
    SELECT id, turn_at FROM jobs
    WHERE {tables.WAITING} AND tenant_id = room.tenant_id AND key_id = room.key_id AND ring_at <= :now
    ORDER BY turn_at, id LIMIT greatest(room.room, 0)
  ) AS job
), placed AS (
  SELECT waiting.id, waiting.turn_at, (coalesce(rung.rung, 0)
    + row_number() OVER (PARTITION BY waiting.tenant_id ORDER BY waiting.turn_at, waiting.id)
    )::float / greatest(coalesce(tenants.weight, 1), 1) AS place
  FROM waiting LEFT JOIN rung USING (tenant_id) LEFT JOIN tenants ON tenants.id = waiting.tenant_id
), chosen AS (
  SELECT id, place, turn_at FROM placed ORDER BY place, turn_at, id LIMIT :slots
)
UPDATE jobs SET ring_at = :again_at, rings = 1 FROM chosen
WHERE jobs.id = chosen.id AND {tables.WAITING}
RETURNING jobs.id, chosen.place, chosen.turn_at
"""  # noqa: S608 - our own words; the values are parameters


async def deal(connection: engine.Connection, now: datetime, window: int, again_at: datetime) -> list[str]:
    """Choose the next new jobs, so many that no more than `window` are rung for and not yet taken; answers their
    ids in the order to ring. Each is rung for again at `again_at` unless it is taken. Commit before ringing.
    """
    locked = await connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK)))
    if not locked.scalar_one():
        return []
    rung = await connection.execute(
        sa.text(f"SELECT count(*) FROM (SELECT 1 FROM jobs WHERE {tables.RUNG} LIMIT :window) AS rung"),  # noqa: S608
        {"window": window},
    )
    slots = window - int(rung.scalar_one())
    if slots <= 0:
        return []
    dealt = await connection.execute(sa.text(DEAL), {"slots": slots, "now": now, "again_at": again_at})
    return [row.id for row in sorted(dealt, key=lambda row: (row.place, row.turn_at, row.id))]

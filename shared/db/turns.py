"""Whom to ring for: tenants take turns by weight, within a tenant the earliest turn goes first.

Doorbells of new jobs are rung only for as many as workers may soon take (the window). So the broker's queue stays
short, and the first job of a tenant goes ahead of the hundred thousandth of another.
"""

from datetime import datetime

import sqlalchemy as sa

from shared.db import engine, prepared
from shared.db.tables import jobs as tables

# One relay at a time deals out turns; a second finds nothing to do.
_LOCK = 7_310_003

# So many jobs of one tenant, key and model may be parked, waiting for room at their provider. Others of the same
# would only find the same; those for other models go ahead.
MOST_PARKED = 32

# 1. The groups (tenant, key, model) that wait, by hopping through the index from one to the next: its cost is the
#    number of groups, not of jobs. 2. For each, how many more it may have parked, and its key in flight; and its next
#    jobs. 3. Each job's place among its key's and its tenant's; those already rung for count. 4. Place by weight
#    decides, then the older turn.
DEAL = f"""
WITH RECURSIVE groups AS (
  (SELECT tenant_id, key_id, model FROM jobs WHERE {tables.WAITING} ORDER BY tenant_id, key_id, model LIMIT 1)
  UNION ALL
  SELECT next.tenant_id, next.key_id, next.model FROM groups CROSS JOIN LATERAL (
    SELECT tenant_id, key_id, model FROM jobs
    WHERE {tables.WAITING} AND (tenant_id, key_id, model) > (groups.tenant_id, groups.key_id, groups.model)
    ORDER BY tenant_id, key_id, model LIMIT 1
  ) AS next
), rung AS (
  SELECT tenant_id, count(*) AS rung FROM jobs WHERE {tables.RUNG} GROUP BY tenant_id
), parked AS (
  SELECT tenant_id, key_id, model, count(*) AS parked FROM jobs WHERE {tables.PARKING}
  GROUP BY tenant_id, key_id, model
), rooms AS (
  SELECT key_id, CASE WHEN keys.max_in_flight IS NULL THEN CAST(:slots AS bigint)
    ELSE least(CAST(:slots AS bigint), keys.max_in_flight - (
      SELECT count(*) FROM jobs WHERE jobs.key_id = known.key_id AND ({tables.IN_FLIGHT}))) END AS room
  FROM (SELECT DISTINCT key_id FROM groups) AS known LEFT JOIN keys ON keys.id = known.key_id
), waiting AS (
  SELECT groups.tenant_id, groups.key_id, rooms.room, job.id, job.turn_at
  FROM groups JOIN rooms USING (key_id) LEFT JOIN parked USING (tenant_id, key_id, model) CROSS JOIN LATERAL (
    SELECT id, turn_at FROM jobs
    WHERE {tables.WAITING} AND tenant_id = groups.tenant_id AND key_id = groups.key_id AND model = groups.model
      AND ring_at <= :now
    ORDER BY turn_at, id LIMIT greatest(least(rooms.room, {MOST_PARKED} - coalesce(parked.parked, 0)), 0)
  ) AS job
), numbered AS (
  SELECT *, row_number() OVER (PARTITION BY key_id ORDER BY turn_at, id) AS number FROM waiting
), placed AS (
  SELECT numbered.id, numbered.turn_at, (coalesce(rung.rung, 0)
    + row_number() OVER (PARTITION BY tenant_id ORDER BY numbered.turn_at, numbered.id)
    )::float / greatest(coalesce(tenants.weight, 1), 1) AS place
  FROM numbered LEFT JOIN rung USING (tenant_id) LEFT JOIN tenants ON tenants.id = tenant_id
  WHERE numbered.number <= numbered.room
), chosen AS (
  SELECT id, place, turn_at FROM placed ORDER BY place, turn_at, id LIMIT :slots
)
UPDATE jobs SET ring_at = :again_at, rings = 1 FROM chosen
WHERE jobs.id = chosen.id AND {tables.WAITING}
RETURNING jobs.id, chosen.place, chosen.turn_at
"""  # noqa: S608 - our own words; the values are parameters
_TAKE_TURNS = prepared.Prepared(sa.text(f"SELECT pg_try_advisory_xact_lock({_LOCK}) AS taken"))
_RUNG = prepared.Prepared(
    sa.text(f"SELECT count(*) FROM (SELECT 1 FROM jobs WHERE {tables.RUNG} LIMIT :most) AS rung")  # noqa: S608 - see above
)
_DEAL = prepared.Prepared(sa.text(DEAL))


async def deal(connection: engine.Connection, now: datetime, window: int, again_at: datetime) -> list[str]:
    """Choose the next new jobs, so many that no more than `window` are rung for and not yet taken; answers their
    ids in the order to ring. Each is rung for again at `again_at` unless it is taken. Commit before ringing.
    """
    [locked] = await _TAKE_TURNS.rows(connection)
    if not locked["taken"]:
        return []
    [found] = await _RUNG.rows(connection, most=window)
    slots = window - int(found["count"])
    if slots <= 0:
        return []
    dealt = await _DEAL.rows(connection, slots=slots, now=now, again_at=again_at)
    return [row["id"] for row in sorted(dealt, key=lambda row: (row["place"], row["turn_at"], row["id"]))]

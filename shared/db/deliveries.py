"""Deliveries as rows: made with their event, claimed in numbers, given back when their process dies."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared import ids
from shared.db import engine, prepared, rows
from shared.db.tables import deliveries as tables
from shared.db.tables import events as event_tables
from shared.db.tables import processes as process_tables
from shared.db.tables import receivers as receiver_tables
from shared.domain import deliveries, events, receivers, tries

_D, _E, _R = tables.deliveries, event_tables.events, receiver_tables.receivers
_WAITING = sa.and_(_D.c.status == deliveries.DeliveryStatus.PENDING, _D.c.lease_owner.is_(None))


@dataclass(frozen=True, slots=True)
class Target:
    """A receiver, and the URL and the form to use instead of its own."""

    receiver_id: str
    url: str | None = None
    format: str | None = None


async def insert_for(connection: engine.Connection, event: events.Event, own: Target | None) -> None:
    """Make a delivery of a new event for every receiver of its tenant that wants it, and for the job's own URL."""
    named = _R.c.events.contains([event.type.value])
    wants = named if event.type in events.OPT_IN else sa.or_(_R.c.events.is_(None), named)
    found = await connection.execute(
        sa.select(_R.c.id).where(
            _R.c.tenant_id == event.tenant_id, _R.c.implicit.is_(False), _R.c.disabled_at.is_(None), wants
        )
    )
    targets = [Target(receiver_id) for receiver_id in found.scalars()] if event.type not in events.UNASKED else []
    await insert(connection, event, [*targets, own] if own else targets, tries.Trigger.AUTOMATIC)


async def insert(
    connection: engine.Connection, event: events.Event, targets: Sequence[Target], trigger: tries.Trigger
) -> list[str]:
    """Make deliveries of an event, due now; answers their ids."""
    return await insert_all(connection, [(event, target) for target in targets], trigger)


async def insert_all(
    connection: engine.Connection, wanted: Sequence[tuple[events.Event, Target]], trigger: tries.Trigger
) -> list[str]:
    """The same for several events at once."""
    values = [
        {
            "id": ids.new(ids.Prefix.DELIVERY),
            "tenant_id": event.tenant_id,
            "event_id": event.id,
            "receiver_id": target.receiver_id,
            "url": target.url,
            "format": target.format,
            "status": deliveries.DeliveryStatus.PENDING,
            "trigger": trigger,
            "created_at": event.created_at,
            "due_at": event.created_at,
        }
        for event, target in wanted
    ]
    if values:
        await connection.execute(sa.insert(_D), values)
    return [str(value["id"]) for value in values]


def is_pending(event_id: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether a delivery of the event is not over."""
    return sa.exists().where(_D.c.event_id == event_id, _D.c.status == deliveries.DeliveryStatus.PENDING)


# Each receiver with its longest waiting delivery: one step down the index per receiver, however much waits.
_FIRST_OF_EACH = """
WITH RECURSIVE first AS (
  (SELECT receiver_id, due_at FROM deliveries WHERE status = 'pending' AND lease_owner IS NULL
   ORDER BY receiver_id, due_at LIMIT 1)
  UNION ALL
  SELECT next.receiver_id, next.due_at FROM first CROSS JOIN LATERAL (
    SELECT receiver_id, due_at FROM deliveries
    WHERE status = 'pending' AND lease_owner IS NULL AND receiver_id > first.receiver_id
    ORDER BY receiver_id, due_at LIMIT 1) AS next
)
"""
# A receiver whose circuit is open gets one try at a time when its pause is over.
_ROOM = """
(CASE WHEN receivers.strikes >= :strikes THEN 1 ELSE :in_flight END
 - (SELECT count(*) FROM deliveries WHERE receiver_id = receivers.id AND lease_owner IS NOT NULL))
"""
_NEXT = sa.text(f"""{_FIRST_OF_EACH}
SELECT min(greatest(first.due_at, receivers.paused_until_at))
FROM first JOIN receivers ON receivers.id = first.receiver_id WHERE {_ROOM} > 0
""").columns(sa.column("at", sa.DateTime(timezone=True)))  # noqa: S608 - constants
_LOCK = prepared.Prepared(
    sa.text(f"""{_FIRST_OF_EACH}
SELECT receivers.* FROM first JOIN receivers ON receivers.id = first.receiver_id
WHERE first.due_at <= :now AND coalesce(receivers.paused_until_at, '-infinity') <= :now
FOR NO KEY UPDATE OF receivers SKIP LOCKED
""")  # noqa: S608 - constants
)
_TAKE = prepared.Prepared(
    sa.text(f"""
WITH open AS MATERIALIZED (
  SELECT id, {_ROOM} AS room FROM receivers WHERE id = ANY(:receiver_ids) ORDER BY random()
), taken AS (
  SELECT due.id FROM open CROSS JOIN LATERAL (
    SELECT id FROM deliveries
    WHERE receiver_id = open.id AND status = 'pending' AND lease_owner IS NULL AND due_at <= :now
    ORDER BY due_at LIMIT greatest(open.room, 0) FOR UPDATE SKIP LOCKED) AS due
  LIMIT :limit
)
UPDATE deliveries SET lease_owner = :owner, fence = fence + 1 FROM taken, events
WHERE deliveries.id = taken.id AND events.id = deliveries.event_id
RETURNING deliveries.*, events.type AS event_type, events.subject_id, events.body
""")  # noqa: S608 - constants
)


async def next_at(connection: engine.Connection, limits: receivers.Limits) -> datetime | None:
    """When the next delivery may be sent: it is due, its receiver not paused, and has room. None: nothing waits."""
    found = await connection.execute(_NEXT, {"strikes": limits.strikes, "in_flight": limits.in_flight})
    moment: datetime | None = found.scalar_one()
    return moment


async def take(
    connection: engine.Connection, owner: str, now: datetime, limits: receivers.Limits, limit: int
) -> list[deliveries.Due]:
    """Claim up to `limit` due deliveries, of each receiver no more than it has room for, the longest waiting first.

    The receivers are locked first, in a statement of its own: only then does counting what is in flight see what
    another process has just claimed. Receivers somebody else is claiming for are skipped; they come next time.
    """
    locked = {row["id"]: row for row in await _LOCK.rows(connection, now=now)}
    if not locked:
        return []
    wish = {"receiver_ids": list(locked), "now": now, "owner": owner, "limit": limit}
    taken = await _TAKE.rows(connection, **wish, strikes=limits.strikes, in_flight=limits.in_flight)
    receiver_of = {
        receiver_id: rows.receiver(locked[receiver_id]) for receiver_id in {row["receiver_id"] for row in taken}
    }
    return [deliveries.Due(rows.delivery(row), receiver_of[row["receiver_id"]], row["body"]) for row in taken]


def with_event(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """A query for deliveries with what `rows.delivery` needs of their events."""
    about = (_E.c.type.label("event_type"), _E.c.subject_id)
    return sa.select(_D, *about, *columns).join(_E, _E.c.id == _D.c.event_id)


async def release_dead(connection: engine.Connection) -> int:
    """Give back what silent processes hold, as it was; answers how many. The try they were making is made again. Rows
    that are held are left for the next time.
    """
    processes = process_tables.processes
    alive = sa.select(processes.c.id).where(processes.c.lease_until_at > sa.func.now())
    silent = sa.select(_D.c.id).where(_D.c.lease_owner.is_not(None), _D.c.lease_owner.not_in(alive)).order_by(_D.c.id)
    free = silent.with_for_update(key_share=True, skip_locked=True).scalar_subquery()
    freed = await connection.execute(sa.update(_D).where(_D.c.id.in_(free)).values(lease_owner=None))
    return freed.rowcount


async def release_strays(connection: engine.Connection, owner: str, known: Collection[str]) -> int:
    """Give back what this process holds without knowing: the answer to its claim was lost. Answers how many."""
    freed = await connection.execute(
        sa.update(_D)
        .where(_D.c.lease_owner == owner, _D.c.id != sa.all_(sa.cast(list(known), pg.ARRAY(sa.Text))))
        .values(lease_owner=None)
    )
    return freed.rowcount


async def drop_pending(connection: engine.Connection, receiver_id: str, now: datetime) -> None:
    """End what still waits for a receiver that is disabled. It can be replayed. Fences what is in flight."""
    await connection.execute(
        sa.update(_D)
        .where(_D.c.receiver_id == receiver_id, _D.c.status == deliveries.DeliveryStatus.PENDING)
        .values(
            status=deliveries.DeliveryStatus.DROPPED,
            finished_at=now,
            lease_owner=None,
            fence=_D.c.fence + 1,
            last_error="receiver_disabled",
        )
    )

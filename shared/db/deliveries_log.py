"""The log of deliveries, for their owner (P6), and sending them again."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from shared import ids
from shared.db import deliveries as claims
from shared.db import engine, rows
from shared.db.tables import deliveries as tables
from shared.db.tables import events as event_tables
from shared.domain import deliveries, tries

_D, _E = tables.deliveries, event_tables.events


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries are wanted; None and empty mean any."""

    receiver_id: str | None = None
    statuses: frozenset[deliveries.DeliveryStatus] = frozenset()
    event_types: frozenset[str] = frozenset()
    event_id: str | None = None
    subject_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


async def page(
    connection: engine.Connection, tenant_id: str, wanted: Filter, before_id: str | None, limit: int
) -> list[deliveries.Delivery]:
    """Up to `limit` deliveries, newest first, all older than `before_id`."""
    query = claims.with_event().where(_D.c.tenant_id == tenant_id, *_conditions(wanted))
    if before_id is not None:
        query = query.where(_D.c.id < before_id)
    found = await connection.execute(query.order_by(_D.c.id.desc()).limit(limit))
    return [rows.delivery(row) for row in found]


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.receiver_id is not None:
        conditions.append(_D.c.receiver_id == wanted.receiver_id)
    if wanted.statuses:
        conditions.append(_D.c.status.in_(sorted(wanted.statuses)))
    if wanted.event_types:
        conditions.append(_E.c.type.in_(sorted(wanted.event_types)))
    if wanted.event_id is not None:
        conditions.append(_D.c.event_id == wanted.event_id)
    if wanted.subject_id is not None:
        conditions.append(_E.c.subject_id == wanted.subject_id)
    if wanted.created_after is not None:
        conditions.append(_D.c.created_at > wanted.created_after)
    if wanted.created_before is not None:
        conditions.append(_D.c.created_at < wanted.created_before)
    return conditions


async def get(connection: engine.Connection, tenant_id: str, delivery_id: str) -> deliveries.Delivery | None:
    """The tenant's delivery, or None."""
    query = claims.with_event().where(_D.c.tenant_id == tenant_id, _D.c.id == delivery_id)
    row = (await connection.execute(query)).one_or_none()
    return rows.delivery(row) if row else None


async def replay(connection: engine.Connection, delivery_id: str, now: datetime) -> None:
    """Send one again, now, with its whole schedule before it; one that is being sent right now is left alone."""
    await connection.execute(_again(now).where(_D.c.id == delivery_id, _D.c.lease_owner.is_(None)))


async def replay_lost(
    connection: engine.Connection, receiver_id: str, since: datetime, now: datetime, limit: int
) -> int:
    """Send again up to `limit` of what a receiver did not get since then, the oldest first; answers how many."""
    lost = (
        sa.select(_D.c.id)
        .where(_D.c.receiver_id == receiver_id, _D.c.status.in_(sorted(deliveries.LOST)))
        .where(_D.c.id >= ids.first_at(ids.Prefix.DELIVERY, since))
        .order_by(_D.c.id)
        .limit(limit)
    )
    changed = await connection.execute(_again(now).where(_D.c.id.in_(lost.scalar_subquery())))
    return changed.rowcount


def _again(now: datetime) -> sa.Update:
    return sa.update(_D).values(
        status=deliveries.DeliveryStatus.PENDING,
        trigger=tries.Trigger.REPLAY,
        step=0,
        due_at=now,
        finished_at=None,
    )

"""Slices as rows: who has what in hand, and whose turn it is."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared.db import engine, queue
from shared.db.tables import batch_rows as row_tables
from shared.db.tables import batches as tables
from shared.db.tables import processes as process_tables
from shared.db.tables import slices as slice_tables
from shared.domain import batches, shares

RING_AGAIN_SECONDS = 1.0
RUNG_AT_ONCE = 200

_B, _S, _R = tables.batches, slice_tables.slices, row_tables.batch_rows
_WORKER = "worker"


async def begin(connection: engine.Connection, batch_number: int, owner: str) -> int:
    """Write down a new slice of this process and answer its number."""
    made = await connection.execute(sa.insert(_S).values(batch_number=batch_number, owner=owner).returning(_S.c.number))
    number: int = made.scalar_one()
    return number


async def hold(connection: engine.Connection, batch_number: int, slice_number: int) -> bool:
    """Make this slice the only one that works on the batch as a whole; False if a living one does already."""
    living = sa.select(_S.c.number)
    changed = await connection.execute(
        sa.update(_B)
        .where(_B.c.number == batch_number, sa.or_(_B.c.holder.is_(None), _B.c.holder.not_in(living)))
        .values(holder=slice_number)
        .returning(_B.c.number)
    )
    return changed.one_or_none() is not None


async def is_held(connection: engine.Connection, batch_number: int, slice_number: int) -> bool:
    """Whether this slice still holds the batch; locks the batch until the transaction ends."""
    found = await connection.execute(sa.select(_B.c.holder).where(_B.c.number == batch_number).with_for_update())
    held: int | None = found.scalar_one()
    return held == slice_number


async def still_reads(connection: engine.Connection, batch_number: int, slice_number: int) -> bool:
    """Whether this slice still holds the batch, and its file is to be read; locks the batch until the transaction
    ends.
    """
    found = await connection.execute(
        sa.select(_B.c.holder, _B.c.status).where(_B.c.number == batch_number).with_for_update()
    )
    row = found.one()
    return bool(row.holder == slice_number and row.status == batches.BatchStatus.VALIDATING)


async def end(connection: engine.Connection, slice_numbers: list[int]) -> None:
    """Forget slices; rows they still have in hand are given back, due now. May be repeated."""
    await connection.execute(sa.delete(_S).where(_S.c.number.in_(slice_numbers)))
    await connection.execute(
        sa.update(_R).where(_R.c.slice.in_(slice_numbers)).values(slice=None, due_at=sa.func.now())
    )
    await connection.execute(sa.update(_B).where(_B.c.holder.in_(slice_numbers)).values(holder=None))


async def end_dead(connection: engine.Connection) -> int:
    """Forget the slices of silent processes and give back their rows; answers how many there were."""
    processes = process_tables.processes
    alive = sa.select(processes.c.id).where(processes.c.lease_until_at > sa.func.now())
    dead = list(
        (
            await connection.execute(
                sa.select(_S.c.number).where(_S.c.owner.not_in(alive)).with_for_update(skip_locked=True)
            )
        ).scalars()
    )
    if dead:
        await end(connection, dead)
    return len(dead)


async def of_owner(connection: engine.Connection, owner: str) -> dict[str, int]:
    """The slices a process holds, as a hand counts them."""
    found = await connection.execute(sa.select(_S.c.number).where(_S.c.owner == owner))
    return {f"slice-{number}": number for number in found.scalars()}


async def of_key(connection: engine.Connection, key_id: str, but_for: int) -> int:
    """How many rows and jobs of this key are in the air: what `max_in_flight` limits. Without those of a slice."""
    rows = sa.select(sa.func.coalesce(sa.func.sum(_S.c.held), 0)).select_from(
        _S.join(_B, _B.c.number == _S.c.batch_number)
    )
    theirs = sa.and_(_B.c.key_id == key_id, _S.c.number != but_for)
    in_hand = (await connection.execute(rows.where(theirs))).scalar_one()
    return int(in_hand) + await queue.in_flight_of_key(connection, key_id)


async def ring(
    connection: engine.Connection, now: datetime, slots_per_worker: int, rows_per_slice: int
) -> list[tuple[str, int]]:
    """The batches to ring for now and how often, by priority, then whose turn was longest ago. Each is rung again
    a second later, in case its doorbell was lost.
    """
    mine = sa.select(sa.func.array_agg(_S.c.held)).where(_S.c.batch_number == _B.c.number).scalar_subquery()
    held = sa.func.coalesce(mine, sa.text("'{}'::int[]")).label("held")
    most = _B.c.wishes["max_concurrency"].as_integer().label("most")
    due = await connection.execute(
        sa.select(_B.c.number, _B.c.id, _B.c.tenant_id, _B.c.status, _B.c.queued, _B.c.deadline_at, most, held)
        .where(_B.c.status.in_(sorted(batches.WORKING)), _B.c.ring_at <= now)
        .order_by(_B.c.priority.desc(), _B.c.rung_at)
        .limit(RUNG_AT_ONCE)
        .with_for_update(of=_B, skip_locked=True)
    )
    found = list(due)
    if not found:
        return []
    tenants, busy, workers = await _crowd(connection)
    waiting = [shares.Waiting(row.id, row.tenant_id, len(row.held), _wanted(row, now, rows_per_slice)) for row in found]
    given = shares.of(waiting, tenants, busy, workers * slots_per_worker)
    rung = [row.number for row in found if given[row.id]]
    later = sa.literal(now) + sa.func.make_interval(0, 0, 0, 0, 0, 0, RING_AGAIN_SECONDS)
    numbers = [row.number for row in found]
    turn = sa.case((_B.c.number.in_(rung), now), else_=_B.c.rung_at)
    await connection.execute(sa.update(_B).where(_B.c.number.in_(numbers)).values(ring_at=later, rung_at=turn))
    return [(batch_id, count) for batch_id, count in given.items() if count]


def _wanted(row: Any, now: datetime, rows_per_slice: int) -> int:  # noqa: ANN401 - a row of the query above
    if row.status != batches.BatchStatus.IN_PROGRESS or (row.deadline_at is not None and row.deadline_at <= now):
        return 1
    return shares.wanted(row.queued, row.most, row.held, rows_per_slice)


async def _crowd(connection: engine.Connection) -> tuple[int, int, int]:
    """How many tenants have batches at work, how many slices run, and how many workers live."""
    processes = process_tables.processes
    counted = await connection.execute(
        sa.select(
            sa.select(sa.func.count(sa.distinct(_B.c.tenant_id)))
            .where(_B.c.status.in_(sorted(batches.WORKING)))
            .scalar_subquery(),
            sa.select(sa.func.count()).select_from(_S).scalar_subquery(),
            sa.select(sa.func.count())
            .where(processes.c.lease_until_at > sa.func.now(), processes.c.name == _WORKER)
            .scalar_subquery(),
        )
    )
    tenants, busy, workers = counted.one()
    return tenants, busy, workers


async def next_ring(connection: engine.Connection) -> datetime | None:
    """When the next batch is to be rung for."""
    found = await connection.execute(
        sa.select(sa.func.min(_B.c.ring_at)).where(_B.c.status.in_(sorted(batches.WORKING)))
    )
    moment: datetime | None = found.scalar_one()
    return moment

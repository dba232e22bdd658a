"""What is true of the whole installation now, counted over indexes of what is not over: cheap at any number of jobs."""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from shared.db import canaries, engine
from shared.db.tables import attempts as attempt_tables
from shared.db.tables import deliveries as delivery_tables
from shared.db.tables import jobs as tables
from shared.db.tables import processes as process_tables
from shared.db.tables import receivers as receiver_tables
from shared.domain import deliveries, states

_JOBS = tables.jobs
_ACTIVE = _JOBS.c.status.in_(sorted(states.ACTIVE))
DOUBT_CAP = 1000
DELIVERY_CAP = 10_000


@dataclass(frozen=True, slots=True)
class InState:
    """Jobs of one kind that are at one step: how many, and since when the oldest one waits (by our clock)."""

    kind: states.Kind
    status: states.JobStatus
    step: states.Step
    jobs: int
    oldest: timedelta
    late: timedelta


@dataclass(frozen=True, slots=True)
class Waiting:
    """Deliveries that wait to be sent, counted up to ten thousand, and how late the latest is whose receiver is
    well.
    """

    deliveries: int
    late: timedelta


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of it, read in one transaction by the database's clock. `in_doubt` is counted up to a thousand."""

    in_state: tuple[InState, ...]
    canaries: dict[str, timedelta]
    processes: dict[str, int]
    in_doubt: int
    held: int
    waiting: Waiting


async def snapshot(connection: engine.Connection) -> Snapshot:
    """Read it."""
    return Snapshot(
        in_state=tuple(await _in_state(connection)),
        canaries=await canaries.ages(connection),
        processes=await _processes(connection),
        in_doubt=await _in_doubt(connection),
        held=await _held(connection),
        waiting=await _waiting(connection),
    )


async def _in_state(connection: engine.Connection) -> list[InState]:
    now = sa.func.now()
    nothing = sa.literal(timedelta(0))
    # What nobody holds and is due should be taken within a moment; how long the oldest waits is how late we are.
    waits = sa.and_(_JOBS.c.lease_owner.is_(None), _JOBS.c.due_at < now)
    found = await connection.execute(
        sa.select(
            _JOBS.c.kind,
            _JOBS.c.status,
            _JOBS.c.step,
            sa.func.count().label("jobs"),
            sa.func.max(now - _JOBS.c.created_at).label("oldest"),
            sa.func.coalesce(sa.func.max(now - _JOBS.c.due_at).filter(waits), nothing).label("late"),
        )
        .where(_ACTIVE)
        .group_by(_JOBS.c.kind, _JOBS.c.status, _JOBS.c.step)
    )
    return [
        InState(
            states.Kind(row.kind),
            states.JobStatus(row.status),
            states.Step(row.step),
            row.jobs,
            row.oldest,
            row.late,
        )
        for row in found
    ]


async def _processes(connection: engine.Connection) -> dict[str, int]:
    processes = process_tables.processes
    found = await connection.execute(
        sa.select(processes.c.name, sa.func.count().label("alive"))
        .where(processes.c.lease_until_at > sa.func.now())
        .group_by(processes.c.name)
    )
    return {row.name: row.alive for row in found}


async def _in_doubt(connection: engine.Connection) -> int:
    attempts = attempt_tables.attempts
    some = sa.select(sa.literal(1)).where(attempts.c.status == states.AttemptStatus.IN_DOUBT).limit(DOUBT_CAP)
    return (await connection.execute(sa.select(sa.func.count()).select_from(some.subquery()))).scalar_one()


async def _held(connection: engine.Connection) -> int:
    held = sa.select(sa.func.count()).select_from(_JOBS).where(_JOBS.c.lease_owner.is_not(None))
    return (await connection.execute(held)).scalar_one()


async def _waiting(connection: engine.Connection) -> Waiting:
    made, to = delivery_tables.deliveries, receiver_tables.receivers
    # As the index has them; what is out at this moment is not counted.
    idle = sa.and_(made.c.status == deliveries.DeliveryStatus.PENDING, made.c.lease_owner.is_(None))
    some = sa.select(made.c.due_at, made.c.receiver_id).where(idle).limit(DELIVERY_CAP).subquery()
    now = sa.func.now()
    # Of a receiver that fails one at a time is tried, after a pause: that is no lateness of ours.
    is_well = sa.and_(to.c.strikes == 0, sa.func.coalesce(to.c.paused_until_at, now) <= now)
    late = sa.func.max(now - some.c.due_at).filter(is_well).label("late")
    both = some.join(to, to.c.id == some.c.receiver_id)
    row = (await connection.execute(sa.select(sa.func.count().label("deliveries"), late).select_from(both))).one()
    return Waiting(row.deliveries, max(row.late or timedelta(0), timedelta(0)))

"""Counting what an endpoint is asked, from the attempts themselves: the truth that Redis only remembers."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from shared.db import engine
from shared.db.tables import attempts as attempt_tables
from shared.db.tables import endpoints as tables
from shared.domain import capacity, states

# An ask that was never settled (its job ended meanwhile) keeps nobody busy for longer than this.
OPEN_SECONDS = 600.0

_A = attempt_tables.attempts
_IN_FLIGHT = sa.text(attempt_tables.IN_FLIGHT)


def in_flight(now: datetime) -> sa.ColumnElement[bool]:
    """Attempts that keep a place at their endpoint."""
    fresh = sa.or_(
        _A.c.status == states.AttemptStatus.ACCEPTED, _A.c.created_at > now - timedelta(seconds=OPEN_SECONDS)
    )
    return sa.and_(_IN_FLIGHT, fresh)


async def facts(
    connection: engine.Connection, demand: capacity.Demand, credential: int, now: datetime
) -> capacity.Facts:
    """What is known of one key at one endpoint."""
    here = (_A.c.provider == demand.provider, _A.c.model == demand.model, _A.c.credential == credential)
    since = now - timedelta(seconds=capacity.WINDOW_SECONDS)
    moment = sa.func.coalesce(_A.c.sent_at, _A.c.created_at)
    flying = await connection.execute(sa.select(_A.c.reference, moment).where(*here, in_flight(now)))
    in_the_air = [(row[0], row[1]) for row in flying]
    # Whatever was sent in the last minute is in the air, or ended in it. What was never sent does not count.
    ended = await connection.execute(sa.select(moment).where(*here, _A.c.finished_at > since, _A.c.sent_at > since))
    sent = [moment for _, moment in in_the_air if moment > since] + [row[0] for row in ended]
    return capacity.Facts(
        slots=[reference for reference, _ in in_the_air],
        sent_ages=sorted(max((now - moment).total_seconds(), 0.0) for moment in sent),
        held_seconds=await _held_seconds(connection, demand.endpoint, credential, now),
    )


async def admit(connection: engine.Connection, demand: capacity.Demand, now: datetime) -> int:
    """The key with the most room, while the endpoint is locked until this transaction ends: whoever counts next sees
    the attempt it inserts. Raises FullError.
    """
    await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(demand.endpoint, 0))))
    known = {credential: await facts(connection, demand, credential, now) for credential in demand.credentials}
    best = max(known, key=lambda credential: capacity.room(known[credential], demand), default=None)
    if best is None or capacity.room(known[best], demand) == 0:
        waits = [capacity.wait_seconds(each, demand) for each in known.values()]
        raise capacity.FullError(min(waits, default=capacity.LONGEST_WAIT_SECONDS))
    return best


async def _held_seconds(connection: engine.Connection, endpoint: str, credential: int, now: datetime) -> float:
    holds = tables.endpoint_holds
    found = await connection.execute(
        sa.select(sa.func.max(holds.c.until_at)).where(
            holds.c.subject == endpoint, holds.c.credential == credential, holds.c.until_at > now
        )
    )
    until: datetime | None = found.scalar_one()
    return (until - now).total_seconds() if until else 0.0

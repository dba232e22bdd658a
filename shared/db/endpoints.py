"""The recent past of endpoints, from the attempts; and who is not to be asked for a while."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db import capacity, engine
from shared.db.tables import attempts as attempt_tables
from shared.db.tables import endpoints as tables
from shared.domain import endpoints, faults, models, states

# However busy the last quarter of an hour was, health reads the newest so many attempts.
MOST_ATTEMPTS = 20_000

_A = attempt_tables.attempts
_HOLDS = tables.endpoint_holds
_SUCCEEDED = _A.c.status == states.AttemptStatus.SUCCEEDED
_FAILED = _A.c.fault.in_(sorted(endpoints.ITS_OWN))


async def health(connection: engine.Connection, now: datetime) -> dict[str, endpoints.Health]:
    """Every endpoint that was asked lately or is being asked now, by name."""
    busy = await _in_flight(connection, now)
    measured = {models.endpoint_name(row.model, row.provider): row for row in await _measured(connection, now)}
    return {name: _health(measured.get(name), busy.get(name, 0), now) for name in measured.keys() | busy.keys()}


async def _in_flight(connection: engine.Connection, now: datetime) -> dict[str, int]:
    found = await connection.execute(
        sa.select(_A.c.model, _A.c.provider, sa.func.count().label("asks"))
        .where(capacity.in_flight(now))
        .group_by(_A.c.model, _A.c.provider)
    )
    return {models.endpoint_name(row.model, row.provider): row.asks for row in found}


async def _measured(connection: engine.Connection, now: datetime) -> list[sa.Row[tuple[object, ...]]]:
    """One row an endpoint, over the attempts that ended in the window."""
    recent = (
        sa.select(
            *(_A.c.model, _A.c.provider, _A.c.finished_at, _A.c.sent_at, _A.c.fault),
            _SUCCEEDED.label("succeeded"),
            sa.func.coalesce(_FAILED, sa.false()).label("failed"),
            sa.cast(sa.func.extract("epoch", _A.c.finished_at - _A.c.sent_at), sa.Float).label("seconds"),
            sa.cast(_A.c.usage["output_tokens"].astext, sa.BigInteger).label("tokens"),
        )
        .where(_A.c.finished_at > now - timedelta(seconds=endpoints.WINDOW_SECONDS))
        .order_by(_A.c.finished_at.desc())
        .limit(MOST_ATTEMPTS)
        .cte("recent")
    )
    newest = sa.func.max(recent.c.finished_at).filter(recent.c.succeeded)
    placed = sa.select(
        recent, newest.over(partition_by=(recent.c.model, recent.c.provider)).label("succeeded_at")
    ).subquery("placed")
    found = await connection.execute(_figures(placed, now))
    return list(found)


def _figures(placed: sa.Subquery, now: datetime) -> sa.Select[tuple[object, ...]]:
    of, count = placed.c, sa.func.count()
    ours = sa.or_(of.succeeded, of.failed)
    lately = of.finished_at > now - timedelta(seconds=endpoints.BREAKER_SECONDS)
    since_success = sa.or_(of.succeeded_at.is_(None), of.finished_at > of.succeeded_at)
    quantiles = sa.func.percentile_cont(sa.cast([0.5, 0.95], pg.ARRAY(sa.Float))).within_group(of.seconds)
    faults_newest_first = sa.func.array_agg(pg.aggregate_order_by(of.fault, of.finished_at.desc()))
    counted = sa.and_(of.succeeded, of.tokens > 0)
    return sa.select(
        *(of.model, of.provider),
        count.filter(of.succeeded).label("succeeded"),
        count.filter(of.failed).label("failed"),
        quantiles.filter(of.succeeded).label("quantiles"),
        (sa.func.sum(of.tokens).filter(counted) / sa.func.sum(of.seconds).filter(counted)).label("tokens_per_second"),
        faults_newest_first.filter(of.failed)[1].label("last_fault"),
        sa.func.max(of.finished_at).filter(of.failed).label("last_failed_at"),
        count.filter(ours, lately).label("lately_ended"),
        count.filter(of.failed, lately).label("lately_failed"),
        count.filter(of.failed, since_success).label("failed_in_a_row"),
        sa.func.max(of.sent_at).filter(of.succeeded).label("succeeded_sent_at"),
    ).group_by(of.model, of.provider)


def _health(row: sa.Row[tuple[object, ...]] | None, in_flight: int, now: datetime) -> endpoints.Health:
    if row is None:
        return endpoints.Health(in_flight=in_flight)
    run = endpoints.Run(
        row.lately_ended, row.lately_failed, row.failed_in_a_row, row.last_failed_at, row.succeeded_sent_at
    )
    p50, p95 = row.quantiles or (None, None)
    return endpoints.Health(
        succeeded=row.succeeded,
        failed=row.failed,
        p50_seconds=p50,
        p95_seconds=p95,
        tokens_per_second=None if row.tokens_per_second is None else float(row.tokens_per_second),
        in_flight=in_flight,
        last_fault=faults.FaultKind(row.last_fault) if row.last_fault else None,
        last_fault_at=row.last_failed_at,
        breaker=endpoints.breaker(run, now),
    )


async def pasts(connection: engine.Connection, now: datetime) -> dict[str, tuple[endpoints.Hour, ...]]:
    """The last day of every endpoint that was asked in it, hour by hour. Of a very busy day the newest part."""
    ago = sa.cast(sa.func.floor(sa.func.extract("epoch", sa.literal(now) - _A.c.finished_at) / 3600), sa.Integer)
    recent = (
        sa.select(_A.c.model, _A.c.provider, ago.label("ago"), sa.func.coalesce(_FAILED, sa.false()).label("failed"))
        .where(_A.c.finished_at > now - timedelta(hours=endpoints.PAST_HOURS), _A.c.finished_at <= now)
        .where(sa.or_(_SUCCEEDED, _FAILED))
        .order_by(_A.c.finished_at.desc())
        .limit(MOST_ATTEMPTS)
        .subquery("recent")
    )
    of, count = recent.c, sa.func.count()
    asked = sa.select(of.model, of.provider, of.ago, count.label("ended"), count.filter(of.failed).label("failed"))
    hours: dict[str, list[endpoints.Hour]] = {}
    for row in await connection.execute(asked.group_by(of.model, of.provider, of.ago)):
        name = models.endpoint_name(row.model, row.provider)
        past = hours.setdefault(name, [endpoints.Hour()] * endpoints.PAST_HOURS)
        past[endpoints.PAST_HOURS - 1 - row.ago] = endpoints.Hour(row.ended, row.failed)
    return {name: tuple(past) for name, past in hours.items()}


async def holds(connection: engine.Connection, now: datetime) -> tuple[endpoints.Hold, ...]:
    """Who is not to be asked now."""
    found = await connection.execute(sa.select(_HOLDS).where(_HOLDS.c.until_at > now).order_by(_HOLDS.c.subject))
    return tuple(
        endpoints.Hold(row.subject, row.credential, endpoints.HoldReason(row.reason), row.until_at, row.fingerprint)
        for row in found
    )


async def hold(connection: engine.Connection, wanted: endpoints.Hold, now: datetime) -> None:
    """Note that an endpoint or a key is not to be asked; a longer hold stays. May be repeated."""
    insert = pg.insert(_HOLDS).values(
        subject=wanted.subject,
        credential=wanted.credential,
        reason=wanted.reason,
        fingerprint=wanted.fingerprint,
        noted_at=now,
        until_at=wanted.until_at,
    )
    await connection.execute(
        insert.on_conflict_do_update(
            index_elements=[_HOLDS.c.subject, _HOLDS.c.credential, _HOLDS.c.reason],
            set_={
                "noted_at": now,
                "fingerprint": wanted.fingerprint,
                "until_at": sa.func.greatest(_HOLDS.c.until_at, wanted.until_at),
            },
        )
    )


async def release_keys(connection: engine.Connection) -> int:
    """Trust every key again; answers how many were held."""
    gone = await connection.execute(
        sa.delete(_HOLDS).where(_HOLDS.c.reason != endpoints.HoldReason.THROTTLED).returning(_HOLDS.c.subject)
    )
    return len(gone.all())


async def forget_past(connection: engine.Connection, now: datetime) -> None:
    """Drop holds that ended a day ago, and old wishes."""
    day_ago = now - timedelta(days=1)
    await connection.execute(sa.delete(_HOLDS).where(_HOLDS.c.until_at < day_ago))
    reloads = tables.catalog_reloads
    newest = sa.select(sa.func.max(reloads.c.number)).scalar_subquery()
    await connection.execute(sa.delete(reloads).where(reloads.c.wished_at < day_ago, reloads.c.number < newest))


async def wish_reload(connection: engine.Connection, now: datetime) -> int:
    """Ask every process to read the catalog again; answers the number of the wish."""
    made = await connection.execute(
        sa.insert(tables.catalog_reloads).values(wished_at=now).returning(tables.catalog_reloads.c.number)
    )
    return int(made.scalar_one())


async def reload_number(connection: engine.Connection) -> int:
    """The number of the newest wish; 0 if there never was one."""
    found = await connection.execute(sa.select(sa.func.max(tables.catalog_reloads.c.number)))
    return int(found.scalar_one() or 0)

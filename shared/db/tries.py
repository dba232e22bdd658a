"""Writing back many tries at once: what was tried, what became of the delivery, how its receiver is doing."""

from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db import deliveries as claims
from shared.db import engine, rows
from shared.db.tables import deliveries as delivery_tables
from shared.db.tables import receivers as receiver_tables
from shared.db.tables import tries as tables
from shared.domain import deliveries, receivers, tries

_T, _D, _R = tables.tries, delivery_tables.deliveries, receiver_tables.receivers
# Many at once, by arrays: row by row SQLAlchemy would take as long for one as it takes to sign it.
_INSERT = sa.text(
    "INSERT INTO tries (delivery_id, number, trigger, started_at, duration_seconds, status_code, error, address, "
    "response_head, response_headers) SELECT v.delivery_id, v.number, v.trigger, v.started_at, v.duration_seconds, "
    "v.status_code, v.error, v.address, v.response_head, CAST(v.response_headers AS jsonb) FROM unnest("
    "CAST(:delivery_id AS text[]), CAST(:number AS int[]), CAST(:trigger AS text[]), "
    "CAST(:started_at AS timestamptz[]), CAST(:duration_seconds AS double precision[]), "
    "CAST(:status_code AS smallint[]), CAST(:error AS text[]), CAST(:address AS text[]), "
    "CAST(:response_head AS bytea[]), CAST(:response_headers AS text[])) AS v(delivery_id, number, trigger, "
    "started_at, duration_seconds, status_code, error, address, response_head, response_headers)"
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
    news = _as_rows(outcomes)
    over = news.c.status != deliveries.DeliveryStatus.PENDING
    changed = await connection.execute(
        sa.update(_D)
        # "=" would let the planner read all that is held, of which it knows nothing, once for each of the news.
        .where(_D.c.id == news.c.id, _D.c.fence == news.c.fence, _D.c.lease_owner.is_not_distinct_from(owner))
        .values(
            lease_owner=None,
            status=news.c.status,
            due_at=news.c.due_at,
            step=_D.c.step + 1,
            try_count=_D.c.try_count + 1,
            last_status_code=news.c.status_code,
            last_error=news.c.error,
            finished_at=sa.case((over, news.c.due_at), else_=None),
        )
        .returning(_D.c.id)
    )
    ours = frozenset(changed.scalars())
    written = [outcome for outcome in outcomes if outcome.due.delivery.id in ours]
    if written:
        await connection.execute(_INSERT, _columns([outcome.tried for outcome in written]))
    return written


def _columns(made: Sequence[tries.Try]) -> dict[str, list[Any]]:
    names = ("delivery_id", "number", "trigger", "started_at", "duration_seconds", "status_code", "error", "address")
    columns: dict[str, list[Any]] = {name: [getattr(tried, name) for tried in made] for name in names}
    headers = [orjson.dumps(tried.response_headers).decode() for tried in made]
    return columns | {"response_head": [tried.response_head for tried in made], "response_headers": headers}


def _as_rows(outcomes: Sequence[deliveries.Outcome]) -> sa.TableValuedAlias:
    columns: tuple[sa.Cast[object], ...] = (
        sa.cast([item.due.delivery.id for item in outcomes], pg.ARRAY(sa.Text)),
        sa.cast([item.due.delivery.fence for item in outcomes], pg.ARRAY(sa.BigInteger)),
        sa.cast([item.verdict.status.value for item in outcomes], pg.ARRAY(sa.Text)),
        sa.cast([item.verdict.due_at for item in outcomes], pg.ARRAY(sa.DateTime(timezone=True))),
        sa.cast([item.tried.status_code for item in outcomes], pg.ARRAY(sa.SmallInteger)),
        sa.cast([item.tried.error for item in outcomes], pg.ARRAY(sa.Text)),
    )
    return (
        sa.func.unnest(*columns)
        .table_valued(
            sa.column("id", sa.Text),
            sa.column("fence", sa.BigInteger),
            sa.column("status", sa.Text),
            sa.column("due_at", sa.DateTime(timezone=True)),
            sa.column("status_code", sa.SmallInteger),
            sa.column("error", sa.Text),
        )
        .render_derived()
    )


async def lock_receivers(
    connection: engine.Connection, failed: Sequence[str], succeeded: Sequence[str]
) -> dict[str, receivers.Receiver]:
    """The receivers to be written to: those that failed, and those that did well but not before. Locked in one
    order, so that two processes never wait for each other.
    """
    troubled = sa.or_(_R.c.failures > 0, _R.c.strikes > 0, _R.c.paused_until_at.is_not(None))
    found = await connection.execute(
        sa.select(_R)
        .where(sa.or_(_R.c.id == claims.any_of(failed), sa.and_(_R.c.id == claims.any_of(succeeded), troubled)))
        .order_by(_R.c.id)
        .with_for_update(key_share=True)
    )
    return {row.id: rows.receiver(row) for row in found}


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

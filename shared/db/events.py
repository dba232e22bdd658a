"""Writing events, always inside the transaction of the change they tell of, with the deliveries they cause; and
reading them in an order that skips none.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared import failpoints, ids
from shared.db import deliveries, engine, prepared, recordsets, rows
from shared.db.tables import batches as batch_tables
from shared.db.tables import events as tables
from shared.db.tables import jobs as job_tables
from shared.db.tables import receivers as receiver_tables
from shared.db.tables import tenants as tenant_tables
from shared.domain import events, outputs, tries

_E = tables.events
# Whose subject is read, and after which sequence.
Place = tuple[str, str, int]
# Where the sequence of each kind of subject is counted, by the prefix of its id.
_COUNTERS: Mapping[str, sa.Table] = {
    ids.Prefix.JOB: job_tables.jobs,
    ids.Prefix.BATCH: batch_tables.batches,
    ids.Prefix.RECEIVER: receiver_tables.receivers,
    ids.Prefix.TENANT: tenant_tables.tenants,
}
# What may name a URL of its own for its events.
_HAVE_URLS = (ids.Prefix.JOB, ids.Prefix.BATCH)


async def append(
    connection: engine.Connection,
    subject_id: str,
    tenant_id: str,
    event_type: events.EventType,
    now: datetime,
    data: Mapping[str, Any],
) -> events.Event:
    """Insert the subject's next event, its body frozen as the subject now stands, and a delivery for everybody who
    wants it. Call after the change is written. The row lock on the subject makes its sequence gapless.
    """
    subject = await _count(connection, subject_id)
    of_job = subject_id.startswith(ids.Prefix.JOB)
    shown = events.job_data(subject, [], engine.public_url(connection), data) if of_job else _data(subject, data)
    event = _made(subject, tenant_id, event_type, now, shown)
    await connection.execute(sa.insert(_E).values(rows.event_values(event)))
    own = own_target(subject, event_type) if subject_id.startswith(_HAVE_URLS) else None
    await deliveries.insert_for(connection, event, own)
    failpoints.reach(failpoints.Failpoint.EVENT_WRITTEN)
    return event


def wanting(event_type: str) -> str:
    """SQL: the receivers that want an event of this type (SQL, none of OPT_IN) about a row of `jobs`."""
    return f"""(
        SELECT array_agg(receivers.id) FROM receivers
        WHERE receivers.tenant_id = jobs.tenant_id AND NOT receivers.implicit AND receivers.disabled_at IS NULL
          AND (receivers.events IS NULL OR receivers.events @> ARRAY[{event_type}]))"""  # noqa: S608 - our own words


_INSERT = prepared.Prepared(sa.text(recordsets.insert(_E, "events", leaving_out="xact")))


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a job, with the job's row as it was just written, and the receivers that want it (`wanting`)."""

    event: events.Event
    job: Mapping[str, Any]
    receivers: Sequence[str]


async def append_all(connection: engine.Connection, told: Sequence[Told]) -> None:
    """Insert events of jobs (`about_job`), and their deliveries. Call after the changes are written."""
    if not told:
        return
    await _INSERT.rows(connection, events=recordsets.text([rows.event_values(each.event) for each in told]))
    wanted = [(each.event, target) for each in told for target in targets(each.event, each.job, each.receivers)]
    await deliveries.insert_all(connection, wanted, tries.Trigger.AUTOMATIC)
    failpoints.reach(failpoints.Failpoint.EVENT_WRITTEN)


def targets(event: events.Event, job: Mapping[str, Any], receivers: Sequence[str]) -> list[deliveries.Target]:
    """Who gets the event of a job: these receivers, and the job's own URL if that wants it."""
    own = own_target(job, event.type)
    registered = [deliveries.Target(receiver_id) for receiver_id in receivers]
    return [*registered, own] if own else registered


def about_job(
    connection: engine.Connection,
    job: Mapping[str, Any],
    event_type: events.EventType,
    now: datetime,
    data: Mapping[str, Any],
    made: Sequence[outputs.Output] = (),
) -> events.Event:
    """The event that tells of a job, whose whole row, with the event's number in its sequence, was just written; and of
    the outputs made. Not written yet.
    """
    main = [asdict(output) for output in made if output.variant is outputs.Variant.MAIN]
    shown = events.job_data(job, main, engine.public_url(connection), data)
    return _made(job, job["tenant_id"], event_type, now, shown)


def _made(
    subject: Mapping[str, Any], tenant_id: str, event_type: events.EventType, now: datetime, shown: Mapping[str, Any]
) -> events.Event:
    return events.Event(
        id=ids.new(ids.Prefix.EVENT),
        tenant_id=tenant_id,
        subject_id=subject["id"],
        type=event_type,
        sequence=subject["sequence"],
        created_at=now,
        body=events.body(event_type, now, shown),
    )


async def _count(connection: engine.Connection, subject_id: str) -> Mapping[str, Any]:
    """The subject's row with the next number in its sequence."""
    table = _COUNTERS[subject_id.partition("_")[0]]
    bump = sa.update(table).where(table.c.id == subject_id).values(sequence=table.c.sequence + 1).returning(table)
    row: Mapping[str, Any] = (await connection.execute(bump)).mappings().one()
    return row


def _data(subject: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": subject["id"], "sequence": subject["sequence"], **extra}


def own_target(job: Mapping[str, Any], event_type: events.EventType) -> deliveries.Target | None:
    """Where the own URL of a job or batch gets this event, if it does."""
    wanted = job.get("webhook_events") or events.JOB_ENDS | events.BATCH_NEWS
    if job["webhook_receiver_id"] is None or event_type not in wanted:
        return None
    return deliveries.Target(job["webhook_receiver_id"], job["webhook_url"], job["webhook_format"])


async def note_progress(connection: engine.Connection, job_ids: list[str], now: datetime, pause_seconds: float) -> None:
    """Append `job.progress` for those of these jobs where somebody asked for it, and not again so soon."""
    if not job_ids:
        return
    jobs, receivers, kind = job_tables.jobs, receiver_tables.receivers, events.EventType.JOB_PROGRESS.value
    wanted = sa.exists().where(
        receivers.c.tenant_id == jobs.c.tenant_id,
        receivers.c.disabled_at.is_(None),
        receivers.c.events.contains([kind]),
    )
    since = sa.literal(now) - sa.func.make_interval(0, 0, 0, 0, 0, 0, pause_seconds)
    lately = sa.exists().where(_E.c.subject_id == jobs.c.id, _E.c.type == kind, _E.c.created_at > since)
    found = await connection.execute(
        sa.select(jobs.c.id, jobs.c.tenant_id)
        .where(jobs.c.id.in_(job_ids), sa.or_(jobs.c.webhook_events.contains([kind]), wanted), ~lately)
        .order_by(jobs.c.id)
    )
    for row in found.all():
        await append(connection, row.id, row.tenant_id, events.EventType.JOB_PROGRESS, now, {})


async def get(connection: engine.Connection, tenant_id: str, event_id: str) -> events.Event | None:
    """The tenant's event, or None."""
    found = await connection.execute(sa.select(_E).where(_E.c.tenant_id == tenant_id, _E.c.id == event_id))
    row = found.one_or_none()
    return rows.event(row) if row else None


async def after(
    connection: engine.Connection, tenant_id: str, cursor: str | None, types: frozenset[str], limit: int
) -> list[events.Event] | None:
    """The tenant's events after the one named, in an order that only ever grows at its end; None if that one is not
    there (any more). Ids of racing transactions may commit in another order, so events are read by transaction, and
    those of transactions that could still be overtaken by an older one are held back for a moment.
    """
    settled: sa.ColumnElement[int] = sa.literal_column("(pg_snapshot_xmin(pg_current_snapshot())::text)::bigint")
    query = sa.select(_E).where(_E.c.tenant_id == tenant_id, _E.c.xact < settled)
    if cursor is not None:
        place = await connection.execute(sa.select(_E.c.xact).where(_E.c.tenant_id == tenant_id, _E.c.id == cursor))
        xact = place.scalar_one_or_none()
        if xact is None:
            return None
        query = query.where(sa.tuple_(_E.c.xact, _E.c.id) > sa.tuple_(sa.literal(xact), sa.literal(cursor)))
    if types:
        query = query.where(_E.c.type.in_(sorted(types)))
    found = await connection.execute(query.order_by(_E.c.xact, _E.c.id).limit(limit))
    return [rows.event(row) for row in found]


async def of_subject(
    connection: engine.Connection, tenant_id: str, subject_id: str, after_sequence: int, limit: int
) -> list[events.Event]:
    """A subject's events with a higher sequence, in order. The sequence is gapless, so none can come in between."""
    found = await connection.execute(
        sa.select(_E)
        .where(_E.c.tenant_id == tenant_id, _E.c.subject_id == subject_id, _E.c.sequence > after_sequence)
        .order_by(_E.c.sequence)
        .limit(limit)
    )
    return [rows.event(row) for row in found]


def _of_subjects() -> prepared.Prepared:
    arrays = [sa.bindparam("tenants", type_=pg.ARRAY(sa.Text)), sa.bindparam("subjects", type_=pg.ARRAY(sa.Text))]
    sequences = sa.bindparam("sequences", type_=pg.ARRAY(sa.Integer))
    columns = (sa.column("tenant_id", sa.Text), sa.column("subject_id", sa.Text), sa.column("after", sa.Integer))
    asked = sa.func.unnest(*arrays, sequences).table_valued(*columns).render_derived(name="asked")
    later = (
        sa.select(_E)
        .where(
            _E.c.tenant_id == asked.c.tenant_id, _E.c.subject_id == asked.c.subject_id, _E.c.sequence > asked.c.after
        )
        .order_by(_E.c.sequence)
        .limit(sa.bindparam("most", type_=sa.Integer))
        .lateral("later")
    )
    return prepared.Prepared(sa.select(later, asked.c.after).join_from(asked, later, sa.true()))


_OF_SUBJECTS = _of_subjects()


async def of_subjects(
    connection: engine.Connection, asked: Collection[Place], limit: int
) -> dict[Place, list[events.Event]]:
    """What `of_subject` answers, for many at once; those without any are left out."""
    once = sorted(set(asked))
    tenants, subjects, sequences = (list(column) for column in zip(*once, strict=True))
    found: dict[Place, list[events.Event]] = {}
    values = {"tenants": tenants, "subjects": subjects, "sequences": sequences, "most": limit}
    for row in await _OF_SUBJECTS.rows(connection, **values):
        event = rows.event(row)
        found.setdefault((event.tenant_id, event.subject_id, row["after"]), []).append(event)
    for each in found.values():
        each.sort(key=lambda event: event.sequence)
    return found


async def newest_sequence(connection: engine.Connection, subject_id: str) -> int:
    """The sequence of a subject's newest event that is kept; 0 without any."""
    newest = sa.select(sa.func.max(_E.c.sequence)).where(_E.c.subject_id == subject_id)
    return (await connection.execute(newest)).scalar_one() or 0


async def forget_before(connection: engine.Connection, moment: datetime, limit: int) -> int:
    """Delete up to `limit` events from before, with their deliveries and tries; answers how many. Events that are
    still to be delivered stay.
    """
    old = sa.select(_E.c.id).where(_E.c.id < ids.first_at(ids.Prefix.EVENT, moment), ~deliveries.is_pending(_E.c.id))
    gone = await connection.execute(
        sa.delete(_E).where(_E.c.id.in_(old.order_by(_E.c.id).limit(limit).scalar_subquery()))
    )
    return gone.rowcount

"""Many new jobs in a few statements: what db/acceptance.py, db/idempotency.py and db/ledger.py write for one.

The rows go in as JSON, which Postgres turns into rows of its tables: one statement whatever their number.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db import engine
from shared.db.tables import events as event_tables
from shared.db.tables import jobs as tables
from shared.db.tables import ledger as ledger_tables
from shared.db.tables import receivers as receiver_tables
from shared.domain import events

# A row that somebody holds must not keep the whole group waiting: then each goes alone.
LONGEST_WAIT_SECONDS = 0.2

_JOBS, _R = tables.jobs, receiver_tables.receivers
_DEFAULTED = {"sequence": 1}


@dataclass(frozen=True, slots=True)
class Key:
    """An Idempotency-Key that is to stand for a job."""

    tenant_id: str
    key: str
    fingerprint: str
    job_id: str
    created_at: str


@dataclass(frozen=True, slots=True)
class Wanting:
    """The receivers that want the first event of every job, by tenant; and those that stand for the origin of jobs'
    own URLs, by tenant and origin.
    """

    registered: Mapping[str, Sequence[str]]
    origins: Mapping[tuple[str, str], str]


async def wanting(connection: engine.Connection, tenant_ids: Collection[str], origins: Collection[str]) -> Wanting:
    """Who is to be told of new jobs of these tenants. Origins never seen before are left out."""
    named = _R.c.events.contains([events.EventType.JOB_QUEUED.value])
    told = sa.and_(_R.c.implicit.is_(False), _R.c.disabled_at.is_(None), sa.or_(_R.c.events.is_(None), named))
    own = sa.and_(_R.c.implicit, _R.c.url == _any(origins))
    found = await connection.execute(
        sa.select(_R.c.id, _R.c.tenant_id, _R.c.url, _R.c.implicit).where(
            _R.c.tenant_id == _any(tenant_ids), sa.or_(told, own)
        )
    )
    registered: dict[str, list[str]] = {}
    implicit: dict[tuple[str, str], str] = {}
    for row in found:
        if row.implicit:
            implicit[row.tenant_id, row.url] = row.id
        else:
            registered.setdefault(row.tenant_id, []).append(row.id)
    return Wanting(registered, implicit)


async def insert_jobs(
    connection: engine.Connection, values: Sequence[Mapping[str, Any]], keys: Sequence[Key]
) -> list[dict[str, Any]]:
    """Insert these jobs (`acceptance.job_values`), with their keys; answers the rows of those whose key was not used
    before. Raises what Postgres raises, also when a key is being used elsewhere for longer than a moment.
    """
    await connection.execute(sa.text(f"SET LOCAL lock_timeout = '{int(LONGEST_WAIT_SECONDS * 1000)}ms'"))
    with_sequence = [{**one, **_DEFAULTED} for one in values]
    inserted = await connection.execute(
        _insert_jobs(tuple(with_sequence[0])), {"jobs": _json(with_sequence), "keys": _json(keys)}
    )
    return [dict(row) for row in inserted.mappings()]


async def insert_rest(
    connection: engine.Connection,
    requests: Sequence[Mapping[str, Any]],
    first_events: Sequence[Mapping[str, Any]],
    entries: Sequence[Mapping[str, Any]],
) -> None:
    """Insert what goes with the jobs: their requests, first events and entries in the ledger."""
    values = {"requests": _json(requests), "events": _json(first_events), "ledger": _json(entries)}
    await connection.execute(_INSERT_REST, values)


def _json(values: Sequence[object]) -> str:
    return orjson.dumps(
        values, option=orjson.OPT_NON_STR_KEYS
    ).decode()  # names of columns are strings of SQLAlchemy's own


def _any(values: Collection[str]) -> sa.CollectionAggregate[bool]:
    return sa.any_(sa.cast(sorted(values), pg.ARRAY(sa.Text)))


_statements: dict[tuple[str, ...], sa.TextualSelect] = {}


def _insert_jobs(names: tuple[str, ...]) -> sa.TextualSelect:
    """The order in which keys are taken is the same everywhere, so that no two groups wait for each other."""
    known = _statements.get(names)
    if known is None:
        columns, every = ", ".join(names), ", ".join(f"jobs.{column.name}" for column in _JOBS.columns)
        statement = sa.text(f"""
            WITH given AS (
              SELECT * FROM json_populate_recordset(CAST(NULL AS jobs), CAST(:jobs AS json))
            ), keyed AS (
              SELECT * FROM json_populate_recordset(CAST(NULL AS idempotency), CAST(:keys AS json))
            ), bound AS (
              INSERT INTO idempotency (tenant_id, key, fingerprint, job_id, created_at)
              SELECT tenant_id, key, fingerprint, job_id, created_at FROM keyed ORDER BY tenant_id, key
              ON CONFLICT DO NOTHING RETURNING job_id
            )
            INSERT INTO jobs ({columns}) SELECT {columns} FROM given
            WHERE id NOT IN (SELECT job_id FROM keyed) OR id IN (SELECT job_id FROM bound) ORDER BY id
            RETURNING {every}""")  # noqa: S608 - our own words; the values are parameters
        known = _statements[names] = statement.columns(*_JOBS.columns)
    return known


def _filled(table: sa.Table, parameter: str, leaving_out: str = "") -> str:
    columns = ", ".join(column.name for column in table.columns if column.name != leaving_out)
    return (
        f"INSERT INTO {table.name} ({columns}) SELECT {columns}"  # noqa: S608 - see above
        f" FROM json_populate_recordset(CAST(NULL AS {table.name}), CAST(:{parameter} AS json))"
    )


_INSERT_REST = sa.text(
    f"WITH requested AS ({_filled(tables.requests, 'requests', 'route')}),"
    f" told AS ({_filled(event_tables.events, 'events', 'xact')})"
    f" {_filled(ledger_tables.ledger, 'ledger')}"
)

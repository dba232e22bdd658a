"""Many new jobs in a few statements: what db/acceptance.py, db/idempotency.py and db/ledger.py write for one.

The rows go in as JSON, which Postgres turns into rows of its tables: one statement whatever their number.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from shared.db import engine, prepared
from shared.db.tables import events as event_tables
from shared.db.tables import jobs as tables
from shared.db.tables import ledger as ledger_tables
from shared.db.tables import receivers as receiver_tables
from shared.domain import events

# A row that somebody holds must not keep the whole group waiting: then each goes alone.
LONGEST_WAIT_SECONDS = 0.2

_JOBS, _R = tables.jobs, receiver_tables.receivers


def _blank(column: sa.Column[Any]) -> int | None:
    default = column.server_default
    return 0 if isinstance(default, sa.DefaultClause) and default.arg == "0" else None


# What Postgres puts into the columns that a new job leaves open.
_BLANK: Mapping[str, Any] = {column.name: _blank(column) for column in _JOBS.columns}


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


async def begin(connection: engine.Connection) -> None:
    """Begin the transaction: nothing in it waits for a lock for longer than a moment."""
    await connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{int(LONGEST_WAIT_SECONDS * 1000)}ms'")


def _wanting() -> prepared.Prepared:
    named = _R.c.events.contains([events.EventType.JOB_QUEUED.value])
    told = sa.and_(_R.c.implicit.is_(False), _R.c.disabled_at.is_(None), sa.or_(_R.c.events.is_(None), named))
    own = sa.and_(_R.c.implicit, _R.c.url == prepared.any_of("origins"))
    theirs = _R.c.tenant_id == prepared.any_of("tenants")
    return prepared.Prepared(
        sa.select(_R.c.id, _R.c.tenant_id, _R.c.url, _R.c.implicit).where(theirs, sa.or_(told, own))
    )


_WANTING = _wanting()


async def wanting(connection: engine.Connection, tenant_ids: Collection[str], origins: Collection[str]) -> Wanting:
    """Who is to be told of new jobs of these tenants. Origins never seen before are left out."""
    found = await _WANTING.rows(connection, tenants=sorted(tenant_ids), origins=sorted(origins))
    registered: dict[str, list[str]] = {}
    implicit: dict[tuple[str, str], str] = {}
    for row in found:
        if row["implicit"]:
            implicit[row["tenant_id"], row["url"]] = row["id"]
        else:
            registered.setdefault(row["tenant_id"], []).append(row["id"])
    return Wanting(registered, implicit)


async def insert_jobs(
    connection: engine.Connection, jobs: Mapping[str, Mapping[str, Any]], keys: Sequence[Key]
) -> list[str]:
    """Insert these jobs, their columns by id (`queued`), with their keys; answers the ids of those whose key was not
    used before. Raises what Postgres raises, also when a key is being used elsewhere for longer than a moment.
    """
    found = await _INSERT_JOBS.rows(connection, jobs=_json(list(jobs.values())), keys=_json(keys))
    return [row["id"] for row in found]


def queued(values: Mapping[str, Any]) -> dict[str, Any]:
    """All columns of a new job that has its first event (`values` are those of `acceptance.job_values`)."""
    return {**_BLANK, **values, "sequence": 1}


async def insert_rest(
    connection: engine.Connection,
    requests: Sequence[Mapping[str, Any]],
    first_events: Sequence[Mapping[str, Any]],
    entries: Sequence[Mapping[str, Any]],
) -> None:
    """Insert what goes with the jobs: their requests, first events and entries in the ledger."""
    await _INSERT_REST.rows(connection, requests=_json(requests), events=_json(first_events), ledger=_json(entries))


def _json(values: Sequence[object]) -> str:
    return orjson.dumps(
        values, option=orjson.OPT_NON_STR_KEYS
    ).decode()  # names of columns are strings of SQLAlchemy's own


_COLUMNS = ", ".join(column.name for column in _JOBS.columns)
# The order in which keys are taken is the same everywhere, so that no two groups wait for each other.
_INSERT_JOBS = prepared.Prepared(
    sa.text(f"""
        WITH given AS (
          SELECT * FROM json_populate_recordset(CAST(NULL AS jobs), CAST(:jobs AS json))
        ), keyed AS (
          SELECT * FROM json_populate_recordset(CAST(NULL AS idempotency), CAST(:keys AS json))
        ), bound AS (
          INSERT INTO idempotency (tenant_id, key, fingerprint, job_id, created_at)
          SELECT tenant_id, key, fingerprint, job_id, created_at FROM keyed ORDER BY tenant_id, key
          ON CONFLICT DO NOTHING RETURNING job_id
        )
        INSERT INTO jobs ({_COLUMNS}) SELECT {_COLUMNS} FROM given
        WHERE id NOT IN (SELECT job_id FROM keyed) OR id IN (SELECT job_id FROM bound) ORDER BY id
        RETURNING id""")  # noqa: S608 - our own words; the values are parameters
)


def _filled(table: sa.Table, parameter: str, leaving_out: str = "") -> str:
    columns = ", ".join(column.name for column in table.columns if column.name != leaving_out)
    return (
        f"INSERT INTO {table.name} ({columns}) SELECT {columns}"  # noqa: S608 - see above
        f" FROM json_populate_recordset(CAST(NULL AS {table.name}), CAST(:{parameter} AS json))"
    )


_INSERT_REST = prepared.Prepared(
    sa.text(
        f"WITH requested AS ({_filled(tables.requests, 'requests', 'route')}),"
        f" told AS ({_filled(event_tables.events, 'events', 'xact')})"
        f" {_filled(ledger_tables.ledger, 'ledger')}"
    )
)

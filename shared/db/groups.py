"""Many new jobs in a few statements: what db/acceptance.py, db/idempotency.py and db/ledger.py write for one.

The rows go in as JSON, which Postgres turns into rows of its tables: one statement whatever their number.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db import budgets, engine, prepared, recordsets
from shared.db.tables import events as event_tables
from shared.db.tables import idempotency as idempotency_tables
from shared.db.tables import jobs as tables
from shared.db.tables import ledger as ledger_tables
from shared.db.tables import receivers as receiver_tables
from shared.domain import budgets as domain_budgets
from shared.domain import events

# A row that somebody holds must not keep the whole group waiting: then each goes alone.
LONGEST_WAIT_SECONDS = 0.2

Columns = Mapping[str, Any]
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
class Rows:
    """Jobs with all that goes with them. `jobs` are whole rows (`queued`)."""

    jobs: Sequence[Columns]
    keys: Sequence[Key]
    requests: Sequence[Columns]
    events: Sequence[Columns]
    ledger: Sequence[Columns]


@dataclass(frozen=True, slots=True)
class Wanting:
    """The receivers that want the first event of every job, by tenant; and those that stand for the origin of jobs'
    own URLs, by tenant and origin.
    """

    registered: Mapping[str, Sequence[str]]
    origins: Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of callers before their jobs are stored: the budgets these must fit into, and who is to be told."""

    budgets: Sequence[domain_budgets.Budget]
    wanting: Wanting


def _known() -> prepared.Prepared:
    named = _R.c.events.contains([events.EventType.JOB_QUEUED.value])
    told = sa.and_(_R.c.implicit.is_(False), _R.c.disabled_at.is_(None), sa.or_(_R.c.events.is_(None), named))
    own = sa.and_(_R.c.implicit, _R.c.url == prepared.any_of("origins"))
    theirs = _R.c.tenant_id == prepared.any_of("tenants")
    wanting = sa.select(_R.c.id, _R.c.tenant_id, _R.c.url, _R.c.implicit).where(theirs, sa.or_(told, own))
    return prepared.Prepared(sa.select(_array(budgets.OF_CALLERS, "budgets"), _array(wanting, "receivers")))


def _array(rows: sa.Select[Any], name: str) -> sa.Label[Any]:
    """All rows as one value, in their order."""
    every = rows.subquery("every")
    gathered = sa.func.json_agg(sa.literal_column("every.*"), type_=pg.JSON)
    return sa.select(sa.func.coalesce(gathered, sa.text("'[]'"))).select_from(every).scalar_subquery().label(name)


_KNOWN = _known()


async def known(
    connection: engine.Connection, tenant_ids: Collection[str], key_ids: Collection[str], origins: Collection[str]
) -> Known:
    """What is known of these callers. Origins never seen before are left out."""
    values = {"tenants": sorted(tenant_ids), "keys": sorted(key_ids), "origins": sorted(origins)}
    [found] = await _KNOWN.rows(connection, **values)
    registered: dict[str, list[str]] = {}
    implicit: dict[tuple[str, str], str] = {}
    for row in found["receivers"]:
        if row["implicit"]:
            implicit[row["tenant_id"], row["url"]] = row["id"]
        else:
            registered.setdefault(row["tenant_id"], []).append(row["id"])
    return Known([budgets.of_json(row) for row in found["budgets"]], Wanting(registered, implicit))


async def insert(connection: engine.Connection, rows: Rows) -> set[str]:
    """Insert the jobs whose key was not used before, with their requests, first events and entries in the ledger;
    answers their ids. Raises what Postgres raises, also when a key is being used elsewhere for longer than a moment.
    """
    values = {field.name: recordsets.text(getattr(rows, field.name)) for field in fields(rows)}
    return {row["id"] for row in await _INSERT.rows(connection, **values)}


def queued(values: Mapping[str, Any]) -> dict[str, Any]:
    """All columns of a new job that has its first event (`values` are those of `acceptance.job_values`)."""
    return {**_BLANK, **values, "sequence": 1}


def _of_made(job_id: str) -> str:
    return f"{job_id} IN (SELECT id FROM made)"  # noqa: S608 - our own words


def _insert() -> prepared.Prepared:
    """The order in which keys are taken is the same everywhere, so that no two groups wait for each other."""
    columns = ", ".join(column.name for column in _JOBS.columns)
    return prepared.Prepared(
        sa.text(f"""
            WITH keyed AS MATERIALIZED (
              SELECT tenant_id, key, fingerprint, job_id, created_at
              FROM {recordsets.of(idempotency_tables.idempotency, "keys")}
            ), bound AS (
              INSERT INTO idempotency (tenant_id, key, fingerprint, job_id, created_at)
              SELECT * FROM keyed ORDER BY tenant_id, key ON CONFLICT DO NOTHING RETURNING job_id
            ), made AS (
              INSERT INTO jobs ({columns}) SELECT {columns} FROM {recordsets.of(_JOBS, "jobs")}
              WHERE id NOT IN (SELECT job_id FROM keyed) OR id IN (SELECT job_id FROM bound) ORDER BY id
              RETURNING id
            ),
            requested AS ({recordsets.insert(tables.requests, "requests", _of_made("job_id"), "route")}),
            told AS ({recordsets.insert(event_tables.events, "events", _of_made("subject_id"), "xact")}),
            entered AS ({recordsets.insert(ledger_tables.ledger, "ledger", _of_made("job_id"))})
            SELECT id FROM made""")  # noqa: S608 - see above
    )


_INSERT = _insert()

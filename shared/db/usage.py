"""Adding up the charges of one tenant."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared.db import engine
from shared.db.tables import attempts as attempt_tables
from shared.db.tables import ledger as tables
from shared.domain import budgets, ledger, usage

_L = tables.ledger
_A = attempt_tables.attempts
_P = budgets.Period
_BY: dict[usage.Grouping, sa.ColumnElement[str]] = {
    usage.Grouping.DAY: sa.func.to_char(sa.func.timezone("UTC", _L.c.created_at), "YYYY-MM-DD"),
    usage.Grouping.KEY: _L.c.key_id,
    usage.Grouping.MODEL: _L.c.model,
    usage.Grouping.PROVIDER: _L.c.provider,
    usage.Grouping.KIND: _L.c.job_kind,
}


async def of_tenant(connection: engine.Connection, tenant_id: str, wanted: usage.Wanted) -> list[usage.Line]:
    """One line a group, in the order of its values."""
    columns = [_BY[grouping].label(f"by_{grouping}") for grouping in wanted.by]
    conditions = [
        _L.c.tenant_id == tenant_id,
        _L.c.kind == ledger.EntryKind.CHARGE,
        _L.c.created_at >= wanted.since_at,
        _L.c.created_at < wanted.until_at,
    ]
    if wanted.key_id is not None:
        conditions.append(_L.c.key_id == wanted.key_id)
    sums: tuple[sa.ColumnElement[int], ...] = (
        sa.func.coalesce(sa.func.sum(_L.c.micros), 0).label("cost"),
        sa.func.count(sa.distinct(_L.c.job_id)).label("jobs"),
        sa.func.count().label("attempts"),
    )
    sums += (_tokens("input_tokens"), _tokens("output_tokens")) if wanted.tokens else ()
    source = _L.outerjoin(_A, _A.c.id == _L.c.attempt_id) if wanted.tokens else _L
    places = [sa.text(str(place + 1)) for place in range(len(columns))]
    query = sa.select(*columns, *sums).select_from(source).where(*conditions).group_by(*places).order_by(*places)
    return [_line(tuple(row), wanted.by) for row in await connection.execute(query)]


def _tokens(name: str) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(_A.c.usage[name].as_integer()), 0).label(name)


def _line(row: tuple[Any, ...], by: tuple[usage.Grouping, ...]) -> usage.Line:
    """The values of the groups come first, then the sums in the order of Line."""
    group = {grouping: str(value) for grouping, value in zip(by, row, strict=False)}
    return usage.Line(group, *(int(value) for value in row[len(by) :]))


async def of_keys(connection: engine.Connection, tenant_id: str, now: datetime) -> dict[str, usage.Spent]:
    """What each key has spent. Reads every charge the tenant ever had, by the index of charges."""
    sums = [
        sa.func.coalesce(sa.func.sum(_L.c.micros).filter(_L.c.created_at >= budgets.window_at(period, now)), 0)
        for period in (_P.TOTAL, _P.DAY, _P.WEEK, _P.MONTH)
    ]
    query = (
        sa.select(_L.c.key_id, *sums)
        .where(_L.c.tenant_id == tenant_id, _L.c.kind == ledger.EntryKind.CHARGE)
        .group_by(_L.c.key_id)
    )
    return {row[0]: usage.Spent(*(int(value) for value in row[1:])) for row in await connection.execute(query)}

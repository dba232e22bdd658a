"""Adding up the charges of one tenant."""

import sqlalchemy as sa

from shared.db import engine
from shared.db.tables import ledger as tables
from shared.domain import ledger, usage

_L = tables.ledger
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
    sums = (
        sa.func.coalesce(sa.func.sum(_L.c.micros), 0).label("cost"),
        sa.func.count(sa.distinct(_L.c.job_id)).label("jobs"),
        sa.func.count().label("attempts"),
    )
    places = [sa.text(str(place + 1)) for place in range(len(columns))]
    query = sa.select(*columns, *sums).where(*conditions).group_by(*places).order_by(*places)
    return [
        usage.Line({by: str(row[place]) for place, by in enumerate(wanted.by)}, int(row.cost), row.jobs, row.attempts)
        for row in await connection.execute(query)
    ]

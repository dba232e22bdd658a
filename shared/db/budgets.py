"""Budgets as rows. Reserving is one conditional update a row, always in the order of their ids: no deadlock, and no
moment between looking and taking (promise P7).
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db import engine, prepared, rows
from shared.db.tables import budgets as tables
from shared.db.tables import metadata
from shared.domain import budgets

_B = tables.budgets


async def insert(connection: engine.Connection, budget: budgets.Budget) -> bool:
    """Write down a new budget; False if its owner has one for this period."""
    made = await connection.execute(
        pg.insert(_B)
        .values(
            id=budget.id,
            tenant_id=budget.tenant_id,
            key_id=budget.key_id,
            period=budget.period,
            limit_micros=budget.limit_micros,
            window_at=budget.window_at,
            created_at=budget.created_at,
        )
        .on_conflict_do_nothing()
        .returning(_B.c.id)
    )
    return made.one_or_none() is not None


async def of_caller(connection: engine.Connection, tenant_id: str, key_id: str) -> list[budgets.Budget]:
    """The budgets a job of this key must fit into, in the order they are to be reserved in."""
    mine = sa.or_(_B.c.key_id.is_(None), _B.c.key_id == key_id)
    found = await connection.execute(sa.select(_B).where(_B.c.tenant_id == tenant_id, mine).order_by(_B.c.id))
    return [_budget(row) for row in found]


async def of_keys(connection: engine.Connection, tenant_id: str, key_id: str | None) -> list[budgets.Budget]:
    """The budgets of the tenant's keys, or of this one; not the tenant's own."""
    which = _B.c.key_id.is_not(None) if key_id is None else _B.c.key_id == key_id
    found = await connection.execute(sa.select(_B).where(_B.c.tenant_id == tenant_id, which).order_by(_B.c.id))
    return [_budget(row) for row in found]


# The budgets of all these `tenants`, and of these `keys`, in the order they are to be reserved in.
OF_CALLERS = (
    sa.select(_B)
    .where(
        _B.c.tenant_id == prepared.any_of("tenants"),
        sa.or_(_B.c.key_id.is_(None), _B.c.key_id == prepared.any_of("keys")),
    )
    .order_by(_B.c.id)
)


def of_json(row: Mapping[str, Any]) -> budgets.Budget:
    """A budget from its row as Postgres writes it in JSON."""
    moments = {name: datetime.fromisoformat(row[name]) for name in ("window_at", "created_at")}
    return _budget({**row, **moments})


def _spent(start: sa.ColumnElement[datetime]) -> sa.ColumnElement[int]:
    return sa.case((_B.c.window_at < start, 0), else_=_B.c.spent_micros)


def _window(start: sa.ColumnElement[datetime]) -> dict[str, sa.ColumnElement[Any]]:
    """A row of an earlier window begins anew; one of a later window (another process's clock) stays."""
    return {
        "spent_micros": _spent(start),
        "notified_percent": sa.case((_B.c.window_at < start, 0), else_=_B.c.notified_percent),
        "window_at": sa.func.greatest(_B.c.window_at, start),
    }


_ONE, _START = sa.bindparam("budget_id", type_=sa.Text), sa.bindparam("start", type_=metadata.Moment)
_HELD, _COST = sa.bindparam("held", type_=sa.BigInteger), sa.bindparam("cost", type_=sa.BigInteger)
_RESERVE = prepared.Prepared(
    sa.update(_B)
    .where(_B.c.id == _ONE, _B.c.held_micros + _spent(_START) + _HELD <= _B.c.limit_micros)
    .values(held_micros=_B.c.held_micros + _HELD, **_window(_START))
    .returning(_B)
)
_SETTLE = prepared.Prepared(
    sa.update(_B)
    .where(_B.c.id == _ONE)
    .values(held_micros=_B.c.held_micros - _HELD, **_window(_START) | {"spent_micros": _spent(_START) + _COST})
    .returning(_B)
)


async def reserve(
    connection: engine.Connection, budget: budgets.Budget, micros: int, now: datetime
) -> budgets.Budget | None:
    """Hold `micros` if held + spent stay within the limit; else None, and nothing is held.
    The first to come in a new window begins it.
    """
    start = budgets.window_at(budget.period, now)
    changed = await _RESERVE.rows(connection, budget_id=budget.id, held=micros, start=start)
    return _budget(changed[0]) if changed else None


async def settle(connection: engine.Connection, sums: Mapping[str, budgets.Sum], now: datetime) -> list[budgets.Budget]:
    """Let go of what was held and add what was spent, by budget id; answers the budgets that have thereby reached a
    threshold nobody was told of. Budgets deleted meanwhile are left out.
    """
    reached: list[budgets.Budget] = []
    for budget in await _locked(connection, sums):
        after = await _settle_one(connection, budget, sums[budget.id], now)
        percent = budgets.threshold(after.spent_micros, after.limit_micros)
        if percent > after.notified_percent:
            await connection.execute(sa.update(_B).where(_B.c.id == budget.id).values(notified_percent=percent))
            reached.append(after)
    return reached


_LOCK = prepared.Prepared(sa.select(_B).where(_B.c.id == prepared.any_of("ids")).order_by(_B.c.id).with_for_update())


async def _locked(connection: engine.Connection, budget_ids: Collection[str]) -> list[budgets.Budget]:
    if not budget_ids:
        return []
    return [_budget(row) for row in await _LOCK.rows(connection, ids=list(budget_ids))]


async def _settle_one(
    connection: engine.Connection, budget: budgets.Budget, by: budgets.Sum, now: datetime
) -> budgets.Budget:
    start = budgets.window_at(budget.period, now)
    values = {"budget_id": budget.id, "held": by.held_micros, "cost": by.spent_micros, "start": start}
    return _budget((await _SETTLE.rows(connection, **values))[0])


async def get(
    connection: engine.Connection, within: str | None, budget_id: str, *, for_update: bool = False
) -> budgets.Budget | None:
    """The budget, or None. `within`: the tenant a caller is confined to (P6)."""
    query = sa.select(_B).where(_B.c.id == budget_id, *_visible(within))
    row = (await connection.execute(query.with_for_update() if for_update else query)).one_or_none()
    return _budget(row) if row else None


async def page(
    connection: engine.Connection, within: str | None, after_id: str | None, limit: int
) -> list[budgets.Budget]:
    """Up to `limit` budgets in the order they were made."""
    query = sa.select(_B).where(*_visible(within), _B.c.id > (after_id or "")).order_by(_B.c.id).limit(limit)
    return [_budget(row) for row in await connection.execute(query)]


async def change_limit(connection: engine.Connection, budget_id: str, limit_micros: int) -> budgets.Budget:
    """Set another limit; thresholds are told of anew."""
    changed = await connection.execute(
        sa.update(_B).where(_B.c.id == budget_id).values(limit_micros=limit_micros, notified_percent=0).returning(_B)
    )
    return _budget(changed.one())


async def delete(connection: engine.Connection, budget_id: str) -> None:
    """Forget a budget; the ledger keeps what was spent."""
    await connection.execute(sa.delete(_B).where(_B.c.id == budget_id))


def _visible(within: str | None) -> list[sa.ColumnElement[bool]]:
    return [] if within is None else [_B.c.tenant_id == within]


def _budget(row: rows.Row) -> budgets.Budget:
    values = rows.mapping(row)
    return budgets.Budget(**values | {"period": budgets.Period(values["period"])})

"""Budgets: set, looked at, changed, lifted. (Reserving and settling: reservations.py.)"""

from dataclasses import dataclass
from datetime import datetime

from shared import errors, ids
from shared.db import audit as audit_rows
from shared.db import budgets as budget_rows
from shared.db import engine
from shared.db import keys as key_rows
from shared.db import tenants as tenant_rows
from shared.domain import audit, budgets


@dataclass(frozen=True, slots=True)
class NewBudget:
    """What a budget is to be. `key_id` None: the whole tenant's."""

    tenant_id: str
    key_id: str | None
    period: budgets.Period
    limit_micros: int


async def create(db: engine.Database, new: NewBudget, now: datetime) -> budgets.Budget:
    """Set a budget; it holds for jobs from now on. Commits. Raises NotFoundError when tenant or key is not there,
    ConflictError when there is a budget for this owner and period.
    """
    budget = budgets.Budget(
        id=ids.new(ids.Prefix.BUDGET),
        tenant_id=new.tenant_id,
        key_id=new.key_id,
        period=new.period,
        limit_micros=new.limit_micros,
        held_micros=0,
        spent_micros=0,
        window_at=budgets.window_at(new.period, now),
        notified_percent=0,
        created_at=now,
    )
    async with db.transaction() as connection:
        await _check_owner(connection, new)
        if not await budget_rows.insert(connection, budget):
            raise errors.ConflictError(f"There is a budget for each {new.period} already; change that one.")
        data = {"key_id": new.key_id, "period": new.period, "limit_micros": new.limit_micros}
        await audit_rows.append(connection, new.tenant_id, audit.Action.BUDGET_CREATED, budget.id, now, data)
    return budget


async def get(db: engine.Database, within: str | None, budget_id: str) -> budgets.Budget:
    """The budget. Raises NotFoundError for what the caller does not see."""
    async with db.transaction() as connection:
        return await _find(connection, within, budget_id)


async def page(db: engine.Database, within: str | None, cursor: str | None, limit: int) -> list[budgets.Budget]:
    """Up to `limit` budgets in the order they were made, those after `cursor`."""
    async with db.transaction() as connection:
        return await budget_rows.page(connection, within, cursor, limit)


async def of_key(db: engine.Database, tenant_id: str, key_id: str) -> list[budgets.Budget]:
    """The budgets that hold for a key: its own, and its tenant's."""
    async with db.transaction() as connection:
        return await budget_rows.of_caller(connection, tenant_id, key_id)


async def of_keys(db: engine.Database, tenant_id: str, key_id: str | None = None) -> list[budgets.Budget]:
    """The budgets of a tenant's keys, or of one of them; not the tenant's own."""
    async with db.transaction() as connection:
        return await budget_rows.of_keys(connection, tenant_id, key_id)


async def cap_key(
    db: engine.Database, tenant_id: str, key_id: str, cap: budgets.Cap | None, now: datetime
) -> budgets.Budget | None:
    """Make `cap` the key's only budget; None lifts all it has. One of the same period keeps what is spent and held;
    another period begins with nothing spent. Commits. May be repeated. Raises NotFoundError.
    """
    reach = Reach(tenant_id)
    async with db.together():
        held = await of_keys(db, tenant_id, key_id)
        for budget in held:
            if cap is None or budget.period is not cap.period:
                await delete(db, reach, budget.id, now)
        if cap is None:
            return None
        same = next((budget for budget in held if budget.period is cap.period), None)
        if same is None:
            return await create(db, NewBudget(tenant_id, key_id, cap.period, cap.limit_micros), now)
        return await change(db, reach, same.id, cap.limit_micros, now)


async def change(
    db: engine.Database, reach: "Reach", budget_id: str, limit_micros: int, now: datetime
) -> budgets.Budget:
    """Set another limit; what is held and spent stays. Commits. May be repeated. Raises NotFoundError, and
    ForbiddenError for a tenant's own budget.
    """
    async with db.transaction() as connection:
        budget = await _find(connection, reach.within, budget_id)
        reach.check(budget.key_id)
        changed = await budget_rows.change_limit(connection, budget_id, limit_micros)
        data = {"limit_micros": limit_micros, "before_micros": budget.limit_micros}
        await audit_rows.append(connection, budget.tenant_id, audit.Action.BUDGET_CHANGED, budget_id, now, data)
    return changed


async def delete(db: engine.Database, reach: "Reach", budget_id: str, now: datetime) -> budgets.Budget:
    """Lift a budget; the ledger keeps what was spent. Commits. Raises NotFoundError, and ForbiddenError for a
    tenant's own budget.
    """
    async with db.transaction() as connection:
        budget = await _find(connection, reach.within, budget_id)
        reach.check(budget.key_id)
        await budget_rows.delete(connection, budget_id)
        await audit_rows.append(connection, budget.tenant_id, audit.Action.BUDGET_DELETED, budget_id, now)
    return budget


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose budgets a caller may change. A tenant's admins set those of its keys; the tenant's own is the house's."""

    within: str | None

    def check(self, key_id: str | None) -> None:
        """Raise ForbiddenError for a tenant's own budget, unless the caller is an operator."""
        if key_id is None and self.within is not None:
            raise errors.ForbiddenError("A tenant's own budget is set by the operator.", param="key_id")


async def _check_owner(connection: engine.Connection, new: NewBudget) -> None:
    if await tenant_rows.get(connection, None, new.tenant_id) is None:
        raise errors.NotFoundError("There is no such tenant.")
    if new.key_id is not None and await key_rows.get(connection, new.tenant_id, new.key_id) is None:
        raise errors.NotFoundError("The tenant has no such key.", param="key_id")


async def _find(connection: engine.Connection, within: str | None, budget_id: str) -> budgets.Budget:
    known = ids.is_valid(ids.Prefix.BUDGET, budget_id)
    budget = await budget_rows.get(connection, within, budget_id, for_update=True) if known else None
    if budget is None:
        raise errors.NotFoundError
    return budget

"""`/v1/budgets`: how much may be spent, by a key or a whole tenant."""

from datetime import datetime
from typing import Annotated

import fastapi
import pydantic

from api import auth, errors, parts, routing
from api.native import answers, pages
from shared import clock, ids
from shared.domain import budgets, requests
from shared.services import budgets as budget_services

BUDGET_ID = "bud_01k0zqj5w3m8v4t2c6n9xb7rde"
DEAREST_MICROS = 10**15

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["budgets"])

_Limit = Annotated[int, pydantic.Field(ge=0, le=DEAREST_MICROS, description="Millionths of a dollar")]
_BudgetId = Annotated[str, fastapi.Path(examples=[BUDGET_ID])]


class NewBudget(requests.Strict):
    """A budget to be set."""

    period: Annotated[budgets.Period, pydantic.Field(strict=False, description="Begins anew at UTC midnight")]
    limit_micros: _Limit
    key_id: Annotated[str | None, pydantic.Field(max_length=64, description="null: the whole tenant's")] = None
    tenant_id: Annotated[str | None, pydantic.Field(max_length=64, description="For operators; else your own")] = None


class BudgetChange(requests.Strict):
    """Another limit."""

    limit_micros: _Limit


class Budget(pages.Listed):
    """A budget, with what is spent in its current window and held for jobs that run."""

    id: str = pydantic.Field(examples=[BUDGET_ID])
    tenant_id: str
    key_id: str | None
    period: budgets.Period
    limit: answers.Usd
    limit_micros: int
    spent: answers.Usd
    spent_micros: int
    held_micros: int
    left: answers.Usd
    left_micros: int
    resets_at: datetime | None = pydantic.Field(description="null: never")
    created_at: datetime


@router.post(
    "/v1/budgets", status_code=201, operation_id="create_budget", responses=errors.documented(400, 401, 404, 409)
)
async def create_budget(body: NewBudget, caller: auth.Admin, given: parts.Given) -> Budget:
    """Set a budget; it holds for jobs from now on. A tenant's own is set by operators, its keys' by its admins."""
    tenant_id = pages.whose(caller, body.tenant_id)
    budget_services.Reach(caller.within).check(body.key_id)
    new = budget_services.NewBudget(tenant_id, body.key_id, body.period, body.limit_micros)
    now = clock.now()
    return answer(await budget_services.create(given.db, new, now), now)


@router.get("/v1/budgets", operation_id="list_budgets", responses=errors.documented(400, 401))
async def list_budgets(caller: auth.Admin, given: parts.Given, page: pages.Wanted) -> pages.Page[Budget]:
    """The budgets of your tenant (operators: of all), oldest first."""
    page.check(ids.Prefix.BUDGET)
    now = clock.now()
    found = await budget_services.page(given.db, caller.within, page.cursor, page.limit + 1)
    return pages.cut([answer(budget, now) for budget in found], page.limit)


@router.get("/v1/budgets/{budget_id}", operation_id="get_budget", responses=errors.documented(400, 401, 404))
async def get_budget(budget_id: _BudgetId, caller: auth.Admin, given: parts.Given) -> Budget:
    """One budget."""
    return answer(await budget_services.get(given.db, caller.within, budget_id), clock.now())


@router.patch("/v1/budgets/{budget_id}", operation_id="change_budget", responses=errors.documented(400, 401, 404))
async def change_budget(budget_id: _BudgetId, body: BudgetChange, caller: auth.Admin, given: parts.Given) -> Budget:
    """Set another limit; what is spent and held stays."""
    now, reach = clock.now(), budget_services.Reach(caller.within)
    return answer(await budget_services.change(given.db, reach, budget_id, body.limit_micros, now), now)


@router.delete("/v1/budgets/{budget_id}", operation_id="delete_budget", responses=errors.documented(400, 401, 404))
async def delete_budget(budget_id: _BudgetId, caller: auth.Admin, given: parts.Given) -> Budget:
    """Lift a budget. What was spent stays in the usage."""
    now, reach = clock.now(), budget_services.Reach(caller.within)
    return answer(await budget_services.delete(given.db, reach, budget_id, now), now)


def answer(budget: budgets.Budget, now: datetime) -> Budget:
    """A budget as callers see it."""
    spent, left = budget.spent_at(now), max(budget.left_at(now), 0)
    return Budget(
        id=budget.id,
        tenant_id=budget.tenant_id,
        key_id=budget.key_id,
        period=budget.period,
        limit=answers.usd(budget.limit_micros),
        limit_micros=budget.limit_micros,
        spent=answers.usd(spent),
        spent_micros=spent,
        held_micros=budget.held_micros,
        left=answers.usd(left),
        left_micros=left,
        resets_at=budgets.resets_at(budget.period, now),
        created_at=budget.created_at,
    )

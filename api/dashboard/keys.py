"""Keys and their budgets, for admins."""

from typing import Any

import fastapi
import pydantic

from api import auth, parts, validation
from api.dashboard import pages
from api.native import budgets as budget_routes
from api.native import keys as key_routes
from api.native import pages as cursors
from shared import errors
from shared.domain import budgets, keys

MOST = 100

router = fastapi.APIRouter(route_class=pages.PageRoute, include_in_schema=False)


@router.get("/keys")
async def list_keys(request: fastapi.Request, caller: auth.Admin, given: parts.Given) -> fastapi.Response:
    """The keys and budgets of the tenant; an operator sees all."""
    return await _show(request, caller, given)


async def _show(
    request: fastapi.Request, caller: auth.Caller, given: parts.Given, shown: key_routes.ShownKey | None = None
) -> fastapi.Response:
    first = cursors.Want(MOST, None)
    return pages.show(
        request,
        "keys.html",
        keys=(await key_routes.list_keys(caller, given, first)).data,
        budgets=(await budget_routes.list_budgets(caller, given, first)).data,
        scopes=list(keys.Scope),
        modes=list(keys.Mode),
        periods=list(budgets.Period),
        shown=shown,
    )


@router.post("/keys")
async def create(request: fastapi.Request, caller: auth.Admin, given: parts.Given) -> fastapi.Response:
    """Make a key, and show its secret this once."""
    form = await request.form()
    fields: dict[str, Any] = {
        "name": str(form.get("name") or ""),
        "mode": str(form.get("mode") or "live"),
        "scopes": [str(item) for item in form.getlist("scopes")],
    }
    return await _show(request, caller, given, await key_routes.create_key(_new_key(fields), caller, given))


def _new_key(fields: dict[str, Any]) -> key_routes.NewKey:
    try:
        return key_routes.NewKey.model_validate(fields)
    except pydantic.ValidationError as error:
        found = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        raise validation.of_pydantic(found, key_routes.NewKey) from None


@router.post("/keys/{key_id}/rotate")
async def rotate(request: fastapi.Request, key_id: str, caller: auth.Admin, given: parts.Given) -> fastapi.Response:
    """Give a key a new secret, and show it this once."""
    shown = await key_routes.rotate_key(key_id, key_routes.Rotation(), caller, given)
    return await _show(request, caller, given, shown)


@router.post("/keys/{key_id}/disable")
async def disable(key_id: str, caller: auth.Admin, given: parts.Given) -> fastapi.Response:
    """Disable a key for good."""
    await key_routes.disable_key(key_id, caller, given)
    return pages.go("/keys")


@router.post("/keys/{key_id}/budget")
async def limit(request: fastapi.Request, key_id: str, caller: auth.Admin, given: parts.Given) -> fastapi.Response:
    """Set a budget for a key."""
    key = await key_routes.get_key(key_id, caller, given)
    await budget_routes.create_budget(await _budget(request, key), caller, given)
    return pages.go("/keys")


async def _budget(request: fastapi.Request, key: key_routes.Key) -> budget_routes.NewBudget:
    form = await request.form()
    try:
        micros = round(float(str(form.get("usd"))) * 1_000_000)
        period = budgets.Period(str(form.get("period")))
        return budget_routes.NewBudget(period=period, limit_micros=micros, key_id=key.id, tenant_id=key.tenant_id)
    except (ValueError, OverflowError):
        raise errors.InvalidRequestError("Write dollars, as in 25 or 0.50.", param="usd") from None


@router.post("/budgets/{budget_id}/delete")
async def lift(budget_id: str, caller: auth.Admin, given: parts.Given) -> fastapi.Response:
    """Lift a budget."""
    await budget_routes.delete_budget(budget_id, caller, given)
    return pages.go("/keys")

"""`/v1/tenants`: whoever owns keys, jobs and budgets. Operators make them; admins see their own."""

from datetime import datetime
from typing import Annotated, Any

import fastapi
import pydantic

from api import auth, errors, parts, routing
from api.native import pages
from shared import clock, ids
from shared.domain import requests, tenants
from shared.services import tenants as tenant_services

TENANT_ID = "ten_01k0zqj5w3m8v4t2c6n9xb7rde"

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["tenants"])

_Name = Annotated[str, pydantic.Field(min_length=1, max_length=100, pattern=r"\S", examples=["Marketing"])]
_Weight = Annotated[int, pydantic.Field(ge=1, le=tenants.HEAVIEST, description="Its share of the workers")]
_Retention = Annotated[
    int | None, pydantic.Field(ge=0, le=2**31 - 1, description="The longest outputs are kept; 0: for ever")
]
_TenantId = Annotated[str, fastapi.Path(examples=[TENANT_ID])]


class NewTenant(requests.Strict):
    """A tenant to be made."""

    name: _Name
    weight: _Weight = 1
    retention_seconds: _Retention = None


class TenantChange(requests.Strict):
    """What is to be changed; what is left out stays."""

    name: _Name = ""
    weight: _Weight = 1
    retention_seconds: _Retention = None
    disabled: Annotated[bool, pydantic.Field(description="true: none of its keys opens anything")] = False


class Tenant(pages.Listed):
    """A tenant."""

    id: str = pydantic.Field(examples=[TENANT_ID])
    name: str
    weight: int
    retention_seconds: int | None = pydantic.Field(description="null: as the settings say; 0: for ever")
    created_at: datetime
    disabled_at: datetime | None


@router.post("/v1/tenants", status_code=201, operation_id="create_tenant", responses=errors.documented(400, 401, 409))
async def create_tenant(body: NewTenant, caller: auth.Admin, given: parts.Given) -> Tenant:
    """Make a tenant (operators only); then make it a key."""
    caller.must_be_operator()
    made = await tenant_services.create(given.db, body.name, body.weight, body.retention_seconds, clock.now())
    return _answer(made)


@router.get("/v1/tenants", operation_id="list_tenants", responses=errors.documented(400, 401))
async def list_tenants(caller: auth.Admin, given: parts.Given, page: pages.Wanted) -> pages.Page[Tenant]:
    """The tenants you see: for operators all, else your own."""
    page.check(ids.Prefix.TENANT)
    found = await tenant_services.page(given.db, caller.within, page.cursor, page.limit + 1)
    return pages.cut([_answer(tenant) for tenant in found], page.limit)


@router.get("/v1/tenants/{tenant_id}", operation_id="get_tenant", responses=errors.documented(400, 401, 404))
async def get_tenant(tenant_id: _TenantId, caller: auth.Admin, given: parts.Given) -> Tenant:
    """One tenant."""
    return _answer(await tenant_services.get(given.db, caller.within, tenant_id))


@router.patch("/v1/tenants/{tenant_id}", operation_id="change_tenant", responses=errors.documented(400, 401, 404))
async def change_tenant(tenant_id: _TenantId, body: TenantChange, caller: auth.Admin, given: parts.Given) -> Tenant:
    """Change a tenant (operators only)."""
    await tenant_services.get(given.db, caller.within, tenant_id)
    caller.must_be_operator()
    values: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
    if "disabled" in values:
        values["disabled_at"] = clock.now() if values.pop("disabled") else None
    return _answer(await tenant_services.change(given.db, tenant_id, values, clock.now()))


def _answer(tenant: tenants.Tenant) -> Tenant:
    return Tenant(
        id=tenant.id,
        name=tenant.name,
        weight=tenant.weight,
        retention_seconds=tenant.retention_seconds,
        created_at=tenant.created_at,
        disabled_at=tenant.disabled_at,
    )

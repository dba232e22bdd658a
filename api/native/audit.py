"""`/v1/audit`: who did what, for admins."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import fastapi
import pydantic
from fastapi import responses

from api import auth, errors, parts, routing
from api.native import pages
from shared import ids
from shared.domain import audit
from shared.services import audit as audit_services

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["audit"])


class Entry(pages.Listed):
    """One thing that was done."""

    id: str = pydantic.Field(examples=["aud_01k0zqj5w3m8v4t2c6n9xb7rde"])
    tenant_id: str = pydantic.Field(description="Whose things were changed")
    key_id: str = pydantic.Field(description="By which key")
    request_id: str | None
    address: str | None
    action: audit.Action
    target_id: str
    created_at: datetime
    data: dict[str, Any]


_EXPORT: dict[int | str, dict[str, Any]] = {
    200: {"description": "One JSON object a line", "content": {"application/x-ndjson": {"schema": {"type": "string"}}}},
    **errors.documented(400, 401),
}


@router.get("/v1/audit", operation_id="list_audit", responses=errors.documented(400, 401))
async def list_audit(caller: auth.Admin, given: parts.Given, page: pages.Wanted) -> pages.Page[Entry]:
    """What was done to your tenant's keys, budgets and jobs (operators: to all), oldest first."""
    page.check(ids.Prefix.AUDIT)
    found = await audit_services.page(given.db, caller.within, page.cursor, page.limit + 1)
    return pages.cut([_answer(entry) for entry in found], page.limit)


@router.get(
    "/v1/audit/export", operation_id="export_audit", responses=_EXPORT, response_class=responses.StreamingResponse
)
async def export_audit(caller: auth.Admin, given: parts.Given) -> responses.StreamingResponse:
    """All of it, one JSON object a line."""

    async def lines() -> AsyncIterator[bytes]:
        async for entry in audit_services.everything(given.db, caller.within):
            yield _answer(entry).model_dump_json().encode() + b"\n"

    return responses.StreamingResponse(lines(), media_type="application/x-ndjson")


def _answer(entry: audit.Entry) -> Entry:
    return Entry(
        id=entry.id,
        tenant_id=entry.tenant_id,
        key_id=entry.actor.key_id,
        request_id=entry.actor.request_id,
        address=entry.actor.address,
        action=entry.action,
        target_id=entry.target_id,
        created_at=entry.created_at,
        data=entry.data,
    )

"""`/api/v1/batches`: requests that come inline become the lines of a batch of ours."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import fastapi
import orjson
import pydantic
from fastapi import responses

from api import auth, bodies, forms, parts, routing
from api.openrouter import batch_answers, providers
from shared import clock, errors, ids
from shared.domain import batches, recipes, sheets
from shared.outbound import downloads
from shared.services import acceptance, receivers
from shared.services import batches as batch_services

# Checked as our own routes: the answer is kept with its Idempotency-Key.
router = fastapi.APIRouter(prefix="/api/v1", route_class=routing.CheckedRoute, include_in_schema=False)

ENDPOINT = "/v1/chat/completions"
PAGE_BATCHES = 100
_S = batches.BatchStatus
# Their words that a list can be filtered by; the others are ours by the same name.
_FILTERS = {"validating": {_S.VALIDATING, _S.READY}, "in_progress": {_S.IN_PROGRESS, _S.PAUSED}}


class _Line(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    custom_id: Annotated[str, pydantic.Field(min_length=1, max_length=512)]
    body: dict[str, Any]


class _Fields(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    endpoint: str
    model: str
    requests: Annotated[list[_Line], pydantic.Field(min_length=1, max_length=batches.MOST_ROWS)]
    callback_url: Annotated[str, pydantic.Field(max_length=2048)] | None = None
    completion_window: Literal["24h"] = "24h"
    provider: dict[str, Any] | None = None


@router.post("/batches", status_code=202)
async def create(request: fastapi.Request, caller: auth.Submitter, given: parts.Given) -> dict[str, Any]:
    """Run every request. They are read by a worker; a faulty one does not stop the others."""
    bodies.check_media_type(request)
    fields = forms.parse(_Fields, await request.json())
    _check(given, caller, fields)
    recipe = _recipe(fields)
    if fields.callback_url is not None:
        await receivers.vet_url(given.guard, fields.callback_url, "callback_url")
    batch_id = batches.new_id()
    key = f"{batches.folder(caller.tenant_id, batch_id)}/input"
    try:
        await given.store.put_stream(key, _lines(fields), "application/jsonl", given.settings.max_batch_bytes)
        made = await batch_services.create(given.db, _new(caller, batch_id, key, fields, recipe))
    except BaseException:
        await given.store.delete([key])
        raise
    given.hints.give()
    return batch_answers.answer(made)


def _check(given: parts.Parts, caller: auth.Caller, fields: _Fields) -> None:
    if fields.endpoint != ENDPOINT:
        raise errors.UnsupportedValueError(
            "This endpoint cannot be used in a batch here.", param="endpoint", accepted=[ENDPOINT]
        )
    if fields.model not in given.catalog.models:
        raise acceptance.unknown_model(given.catalog, fields.model, "model")
    if caller.sender.is_test:
        acceptance.check_sandbox(given.catalog, [(fields.model, "model")])
    _check_rows(fields)


def _check_rows(fields: _Fields) -> None:
    known: set[str] = set()
    for place, line in enumerate(fields.requests):
        if line.body.get("model", fields.model) != fields.model:
            raise errors.InvalidRequestError(
                "A request names the model of its batch, or none.",
                param=f"requests[{place}].body.model",
                accepted=[fields.model],
            )
        if line.custom_id in known:
            raise errors.InvalidRequestError(
                "Each custom_id may be used once in a batch.", param=f"requests[{place}].custom_id"
            )
        known.add(line.custom_id)


def _recipe(fields: _Fields) -> recipes.Recipe:
    wanted = providers.translated(fields.provider) if fields.provider else None
    return forms.parse(recipes.Recipe, {"model": fields.model, "parameters": {"provider": wanted} if wanted else {}})


def _new(caller: auth.Caller, batch_id: str, key: str, fields: _Fields, recipe: recipes.Recipe) -> batches.NewBatch:
    return batches.NewBatch(
        id=batch_id,
        tenant_id=caller.tenant_id,
        key_id=caller.key_id,
        is_test=caller.sender.is_test,
        created_at=clock.now(),
        recipe=recipe,
        wishes=batches.Wishes(webhook_url=fields.callback_url),
        options=sheets.Options(form=sheets.Form.JSONL),
        source_name=fields.endpoint,
        source_key=key,
        webhook_origin=downloads.origin(fields.callback_url) if fields.callback_url else None,
    )


async def _lines(fields: _Fields) -> AsyncIterator[bytes]:
    for line in fields.requests:
        row = {"custom_id": line.custom_id, "method": "POST", "url": ENDPOINT, "body": line.body}
        yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


_Limit = Annotated[int, fastapi.Query(ge=1, le=100)]
_Statuses = Annotated[list[str], fastapi.Query(alias="status")]


@router.get("/batches")
async def list_batches(
    caller: auth.Authenticated,
    given: parts.Given,
    statuses: _Statuses = [],  # noqa: B006 - FastAPI copies it
    limit: _Limit = 20,
    after: str | None = None,
    created_after: str | None = None,
    created_before: str | None = None,
) -> dict[str, Any]:
    """Your batches, newest first: those of our other APIs, too."""
    if after is not None and not ids.is_valid(ids.Prefix.BATCH, after):
        raise errors.InvalidRequestError("There is no batch with this id.", param="after")
    since, until = _moment("created_after", created_after), _moment("created_before", created_before)
    found: list[batches.Batch] = []
    async for batch in _all(given, caller.tenant_id, _wanted(statuses), after):
        if (since is not None and batch.created_at < since) or len(found) > limit:
            break
        if until is None or batch.created_at < until:
            found.append(batch)
    data = [batch_answers.answer(batch) for batch in found[:limit]]
    first_id, last_id = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    has_more = len(found) > limit
    return {"object": "list", "data": data, "first_id": first_id, "last_id": last_id, "has_more": has_more}


async def _all(
    given: parts.Parts, tenant_id: str, statuses: frozenset[_S], cursor: str | None
) -> AsyncIterator[batches.Batch]:
    while True:
        page = await batch_services.list_page(given.db, tenant_id, statuses, cursor, PAGE_BATCHES)
        for batch in page.batches:
            yield batch
        cursor = page.next_cursor
        if cursor is None:
            return


def _wanted(statuses: Sequence[str]) -> frozenset[_S]:
    wanted: set[_S] = set()
    for status in statuses:
        if status not in ("validating", "in_progress", "completed", "failed", "expired", "cancelled"):
            raise errors.UnsupportedValueError("Batches cannot be listed by this status.", param="status")
        wanted |= _FILTERS.get(status) or {_S(status)}
    return frozenset(wanted)


def _moment(name: str, value: str | None) -> datetime | None:
    """Seconds since 1970, or written out."""
    if value is None:
        return None
    try:
        if value.isdecimal() and len(value) <= 11:
            return datetime.fromtimestamp(int(value), UTC)
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise errors.InvalidRequestError("This is no time: send unix seconds or ISO 8601.", param=name) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@router.get("/batches/{batch_id}")
async def retrieve(batch_id: str, caller: auth.Authenticated, given: parts.Given) -> fastapi.Response:
    """A batch as it is now; completed, with an answer for each of its requests."""
    batch = await batch_services.get(given.db, caller.tenant_id, batch_id)
    if batch.status is _S.COMPLETED and batch.source_name.startswith(ENDPOINT):
        return responses.StreamingResponse(batch_answers.whole(given, batch), 200, media_type="application/json")
    return responses.JSONResponse(batch_answers.answer(batch))

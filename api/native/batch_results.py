"""`/v1/batches/{id}/results`: the rows with what came of them, at any time."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import fastapi
from fastapi import responses

from api import auth, errors, parts, routing
from api.native import batches
from shared.domain import batch_rows, dispositions
from shared.domain import batches as domain
from shared.services import batches as batch_services
from shared.services import files, results

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["batches"])

_CONTENT = {
    media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in results.MEDIA_TYPES.values()
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "One row a row of the input, in its order", "content": _CONTENT}
}


async def wanted(
    format: results.Form = results.Form.CSV,  # noqa: A002 - the name callers use
    status: Annotated[list[batch_rows.RowStatus], fastapi.Query(description="May be repeated: any of these")] = [],  # noqa: B006 - FastAPI copies it
    safe_csv: Annotated[bool, fastapi.Query(description="Cells a spreadsheet would run get a `'` in front")] = True,
    spread: Annotated[bool, fastapi.Query(description="A column for each field of the response schema")] = False,
    errors_only: Annotated[bool, fastapi.Query(description="The input's faulty rows with the reason, to mend")] = False,
) -> results.Wanted:
    """The dependency of what sends results."""
    statuses = tuple(status)
    if errors_only and not statuses:
        statuses = (batch_rows.RowStatus.INVALID, batch_rows.RowStatus.FAILED)
    return results.Wanted(format, statuses, safe=safe_csv, spread=spread, errors=errors_only)


@router.get(
    "/v1/batches/{batch_id}/results",
    operation_id="get_batch_results",
    response_class=responses.StreamingResponse,
    responses={**_RESPONSES, **errors.documented(400, 401, 404, 409, 410)},
)
async def get_results(
    batch_id: batches.BatchId,
    caller: auth.Authenticated,
    given: parts.Given,
    wanted: Annotated[results.Wanted, fastapi.Depends(wanted)],
) -> responses.StreamingResponse:
    """The input's own columns in their order, and then `status, output, output_url, error, model, cost_usd`."""
    batch = await batch_services.get(given.db, caller.tenant_id, batch_id)
    chunks = await _chunks(given, batch, wanted)
    name = f"{batch.source_name.rpartition('.')[0] or batch.id}-{results.name_of(wanted)}"
    headers = {"Content-Disposition": dispositions.content_disposition(name, inline=False)}
    return responses.StreamingResponse(await _begun(chunks), 200, headers, results.MEDIA_TYPES[wanted.form])


async def _chunks(given: parts.Parts, batch: domain.Batch, wanted: results.Wanted) -> AsyncIterator[bytes]:
    """From the rows; once they are gone, from the file that was written when the batch closed."""
    if batch.erased_at is None:
        return results.stream(given.db, batch, wanted, given.settings.public_url.rstrip("/"))
    return (await files.open_bytes(given.store, results.kept_file(batch, wanted).key)).chunks


async def _begun(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same stream, its first chunk made already: what goes wrong there is still an error answer."""
    first = await anext(chunks, b"")

    async def all_of_them() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return all_of_them()

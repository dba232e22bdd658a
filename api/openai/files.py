"""`/openai/v1/files`."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import fastapi
import pydantic
from fastapi import responses
from starlette import datastructures

from api import auth, forms, parts, routing
from api.openai import batch_files
from shared import clock, errors
from shared.domain import dispositions, files
from shared.services import files as file_services

router = fastapi.APIRouter(prefix="/openai/v1", route_class=routing.DialectRoute, include_in_schema=False)

PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
LONGEST_NAME = 255
CHUNK_BYTES = 256 * 1024


class Expiry(pydantic.BaseModel):
    """`expires_after`."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, pydantic.Field(ge=3600, le=2_592_000)]


class _Fields(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    file: datastructures.UploadFile
    purpose: Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
    expires_after: Expiry | None = None


@router.post("/files")
async def create(request: fastapi.Request, caller: auth.Submitter, given: parts.Given) -> dict[str, Any]:
    """Keep a file. It goes to the storage in pieces, however large it is."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise errors.UnsupportedMediaTypeError(
            "Send the file as multipart/form-data.", param="Content-Type", accepted=["multipart/form-data"]
        )
    fields = forms.parse(_Fields, await forms.read(request), strict=False)
    now = clock.now()
    new = files.NewFile(
        tenant_id=caller.tenant_id,
        filename=(fields.file.filename or "upload").replace("\\", "/").rpartition("/")[2][-LONGEST_NAME:],
        purpose=fields.purpose,
        media_type=fields.file.content_type or "application/octet-stream",
        expires_at=_expires_at(given, fields.expires_after, now),
    )
    limit_bytes = given.settings.max_file_bytes
    file = await file_services.keep(given.db, given.store, new, _chunks(fields.file), limit_bytes, now)
    return _answer(file)


def _expires_at(given: parts.Parts, wanted: Expiry | None, now: datetime) -> datetime | None:
    seconds = wanted.seconds if wanted else given.settings.file_retention_seconds
    return now + timedelta(seconds=seconds) if seconds else None


async def _chunks(upload: datastructures.UploadFile) -> AsyncIterator[bytes]:
    while chunk := await upload.read(CHUNK_BYTES):
        yield chunk


@router.get("/files")
async def list_files(
    caller: auth.Authenticated,
    given: parts.Given,
    purpose: str | None = None,
    after: str | None = None,
    limit: Annotated[int, fastapi.Query(ge=1, le=10_000)] = 10_000,
    order: Literal["asc", "desc"] = "desc",
) -> dict[str, Any]:
    """Your files."""
    wanted = file_services.Wanted(purpose, after, limit, oldest_first=order == "asc")
    page = await file_services.list_page(given.db, caller.tenant_id, wanted, clock.now())
    data = [_answer(file) for file in page.files]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": page.has_more,
    }


@router.get("/files/{file_id}")
async def retrieve(file_id: str, caller: auth.Authenticated, given: parts.Given) -> dict[str, Any]:
    """One file."""
    if batch_files.is_id(file_id):
        return await batch_files.answer(given, caller, file_id)
    return _answer(await file_services.get(given.db, caller.tenant_id, file_id, clock.now()))


@router.delete("/files/{file_id}")
async def delete(file_id: str, caller: auth.Authenticated, given: parts.Given) -> dict[str, Any]:
    """Delete a file for good."""
    if batch_files.is_id(file_id):
        raise errors.ConflictError("The files of a batch belong to it and cannot be deleted alone.")
    await file_services.delete(given.db, given.store, caller.tenant_id, file_id)
    return {"id": file_id, "object": "file", "deleted": True}


@router.get("/files/{file_id}/content")
async def content(file_id: str, caller: auth.Authenticated, given: parts.Given) -> fastapi.Response:
    """The bytes."""
    key, filename = await _place(given, caller, file_id)
    download = await file_services.open_bytes(given.store, key)
    headers = {
        "Content-Length": download.headers["Content-Length"],
        "Content-Disposition": dispositions.content_disposition(filename, inline=False),
    }
    return responses.StreamingResponse(download.chunks, 200, headers, "application/octet-stream")


async def _place(given: parts.Parts, caller: auth.Caller, file_id: str) -> tuple[str, str]:
    """Where the bytes lie, and under which name they are to be saved."""
    if batch_files.is_id(file_id):
        batch, made = await batch_files.find(given, caller, file_id)
        return made.key, f"{batch.id}_{made.name}"
    file = await file_services.get(given.db, caller.tenant_id, file_id, clock.now())
    return file.key, file.filename


def _answer(file: files.File) -> dict[str, Any]:
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size_bytes,
        "created_at": int(file.created_at.timestamp()),
        "expires_at": int(file.expires_at.timestamp()) if file.expires_at else None,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
        "sha256": file.sha256,
    }

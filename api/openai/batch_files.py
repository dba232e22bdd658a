"""The two files a batch gives back, as files among the others: written when the batch closes, named after it."""

import re
from enum import StrEnum
from typing import Any

from api import auth, parts
from shared import errors
from shared.domain import batches
from shared.services import batches as batch_services
from shared.services import results

_ID = re.compile(r"file-(?P<batch>bat_\w{26})-(?P<which>output|errors)")


class Which(StrEnum):
    """The answers, and the lines that have none."""

    OUTPUT = "output"
    ERRORS = "errors"


_NAMES = {
    Which.OUTPUT: results.name_of(results.Wanted(results.Form.OPENAI)),
    Which.ERRORS: results.name_of(results.Wanted(results.Form.OPENAI, errors=True)),
}


def id_of(batch: batches.Batch, which: Which) -> str | None:
    """The file's id; None if the batch has no such file (yet)."""
    there = batch.status in batches.OVER and _file(batch, which) is not None
    return f"file-{batch.id}-{which}" if there else None


def _file(batch: batches.Batch, which: Which) -> batches.ResultFile | None:
    return next((file for file in batch.files if file.name == _NAMES[which]), None)


def is_id(file_id: str) -> bool:
    """Whether this names a file of a batch."""
    return _ID.fullmatch(file_id) is not None


async def find(given: parts.Parts, caller: auth.Caller, file_id: str) -> tuple[batches.Batch, batches.ResultFile]:
    """The file with its batch. Raises NotFoundError."""
    named = _ID.fullmatch(file_id)
    if named is not None:
        batch = await batch_services.get(given.db, caller.tenant_id, named["batch"])
        file = _file(batch, Which(named["which"])) if batch.status in batches.OVER else None
        if file is not None:
            return batch, file
    raise errors.NotFoundError("There is no file with this id.", param="id")


async def answer(given: parts.Parts, caller: auth.Caller, file_id: str) -> dict[str, Any]:
    """The file as the clients read it."""
    batch, file = await find(given, caller, file_id)
    moment = batch.finished_at or batch.created_at
    return {
        "id": file_id,
        "object": "file",
        "bytes": file.size_bytes,
        "created_at": int(moment.timestamp()),
        "expires_at": None,
        "filename": f"{batch.id}_{file.name}",
        "purpose": "batch_output",
        "status": "processed",
        "status_details": None,
        "sha256": file.sha256,
    }

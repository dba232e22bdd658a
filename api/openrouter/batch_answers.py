"""A batch as OpenRouter's clients read it. Its answers stand in it, once it is over."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import orjson

from api import parts
from api.openrouter import key_answers
from shared.domain import batches
from shared.services import results

_S = batches.BatchStatus
_STATUSES = {_S.PAUSED: _S.IN_PROGRESS, _S.EXPIRING: _S.FINALIZING}
_WINDOW = "24h"  # the only one their clients can read


def status_of(batch: batches.Batch) -> str:
    """Their word. A batch that no budget allowed is over for them: nothing of it was run, or will be by itself."""
    if batch.status is _S.READY:
        return "failed" if batch.error_code else "validating"
    return str(_STATUSES.get(batch.status, batch.status))


def answer(batch: batches.Batch) -> dict[str, Any]:
    """Every key their client insists on; `results` are left to `whole`."""
    counts = batch.counts
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.source_name.partition(" ")[0],
        "model": batch.recipe.model or "",
        "completion_window": _WINDOW,
        "status": status_of(batch),
        "created_at": _unix(batch.created_at),
        "finalized_at": _unix(batch.finished_at),
        "expires_at": _unix(batch.deadline_at),
        "provider": None,
        "request_counts": {
            "total": counts.total,
            "completed": counts.completed,
            "failed": counts.total - counts.completed - counts.open,
        },
        # Tokens are not kept by row, and theirs has no place for a cost without them.
        "usage": None,
        "cost": key_answers.usd(batch.cost_micros),
        "error": {"message": batch.error_message or batch.error_code} if batch.error_code else None,
        "results": None,
    }


async def whole(given: parts.Parts, batch: batches.Batch) -> AsyncIterator[bytes]:
    """The batch with an answer for each row, in the order they came in, as one JSON document in constant memory."""
    head = orjson.dumps(answer(batch) | {"results": 0})
    yield head.removesuffix(b"0}") + b"["
    comma = b""
    lines = results.stream(given.db, batch, results.Wanted(results.Form.OPENAI), given.url(""))
    async for chunk in lines:
        rows = [orjson.dumps(_result(orjson.loads(line))) for line in chunk.splitlines()]
        yield comma + b",".join(rows)
        comma = b","
    yield b"]}"


def _result(line: dict[str, Any]) -> dict[str, Any]:
    if line["error"] is None:
        body = line["response"]["body"]
        choices = [choice | {"native_finish_reason": choice["finish_reason"]} for choice in body.get("choices", ())]
        more = {"system_fingerprint": None, "choices": choices}
        return line | {"response": line["response"] | {"body": body | more}}
    error = {"type": line["error"]["code"], "message": line["error"]["message"], "param": None}
    return line | {"error": error}


def _unix(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())

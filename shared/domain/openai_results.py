"""OpenAI's batch answers: `{"id", "custom_id", "response", "error"}`, one a line. Pure."""

from datetime import datetime
from typing import Any

import orjson

from shared.domain import batch_rows, batches

_S = batch_rows.RowStatus
GOOD = (_S.COMPLETED,)
# Every row without an answer, once: also those that were never begun.
OTHERS = (_S.FAILED, _S.CANCELLED, _S.EXPIRED, _S.INVALID)

_NEVER_RUN = {
    _S.EXPIRED: ("batch_expired", "This request could not be executed before the completion window expired."),
    _S.CANCELLED: ("batch_cancelled", "This request was not executed, as the batch was cancelled."),
}
Body = dict[str, Any]


def line(batch: batches.Batch, row: batch_rows.Row, output_url: str | None) -> Body:
    """The answer to one line. A row that failed has an error and no response: no HTTP answer was ever made."""
    job_id = batches.row_id(batch.id, row.generation, row.number)
    head = {"id": f"batch_req_{job_id}", "custom_id": row.custom_id}
    if row.status is not _S.COMPLETED:
        code, message = _NEVER_RUN.get(row.status, (row.error_code, row.error_message))
        return head | {"response": None, "error": {"code": code or "failed", "message": message or "The row failed."}}
    body = _body(batch, row, job_id, output_url)
    return head | {"response": {"status_code": 200, "request_id": job_id, "body": body}, "error": None}


def _body(batch: batches.Batch, row: batch_rows.Row, job_id: str, output_url: str | None) -> Body:
    cells = dict(zip(batch.layout.columns if batch.layout else (), row.cells, strict=False))
    path = cells.get("url", "").strip().rstrip("/").removeprefix("/v1")
    created_at, finished_at = _unix(batch.created_at), _unix(row.finished_at)
    if path == "/videos":
        return _video(row, job_id, orjson.loads(cells.get("body") or "{}"), created_at, finished_at)
    if path == "/images/generations":
        return {"created": finished_at or created_at, "data": [{"url": output_url}]}
    message = {"role": "assistant", "content": row.output, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    completion = {"id": job_id, "object": "chat.completion", "created": finished_at or created_at}
    return completion | {"model": row.model, "choices": [choice]}


def _video(row: batch_rows.Row, job_id: str, asked: Body, created_at: int | None, finished_at: int | None) -> Body:
    return {
        "id": job_id,
        "object": "video",
        "model": row.model,
        "status": "completed",
        "progress": 100,
        "created_at": created_at,
        "completed_at": finished_at,
        "expires_at": None,
        "prompt": asked.get("prompt"),
        "size": asked.get("size"),
        "seconds": str(asked["seconds"]) if "seconds" in asked else None,
        "remixed_from_video_id": None,
        "error": None,
    }


def _unix(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())

"""The end of a video in OpenRouter's envelope, verified as its documentation tells receivers to."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import orjson

from shared.domain import events
from shared.webhooks import openrouter

NOW = datetime(2026, 7, 25, 9, 30, 0, 120_000, tzinfo=UTC)
JOB: dict[str, Any] = {
    "id": "job_1",
    "kind": "video",
    "status": "completed",
    "served_model": "sandbox/video",
    "polling_url": "https://example.com/v1/jobs/job_1",
    "outputs": [{"number": 0}, {"number": 1}],
    "cost_micros": 500_000,
    "error": None,
}


def event(**changes: object) -> str:
    return events.body(events.EventType.JOB_COMPLETED, NOW, JOB | changes)


def test_a_completed_video() -> None:
    assert orjson.loads(openrouter.body(event())) == {
        "type": "video.generation.completed",
        "created_at": "2026-07-25T09:30:00.120Z",
        "data": {
            "id": "job_1",
            "status": "completed",
            "generation_id": "job_1",
            "model": "sandbox/video",
            "unsigned_urls": [f"https://example.com/api/v1/videos/job_1/content?index={index}" for index in (0, 1)],
            "usage": {"cost": 0.5, "is_byok": False},
        },
    }


def test_other_ends_carry_a_sentence_and_no_bill() -> None:
    told = orjson.loads(openrouter.body(event(status="failed", error={"code": "x", "message": "No."}, outputs=[])))
    assert (told["type"], told["data"]["error"]) == ("video.generation.failed", "No.")
    assert not {"unsigned_urls", "usage"} & set(told["data"])
    assert orjson.loads(openrouter.body(event(status="expired")))["data"]["error"] == "The job is expired."


def test_the_signature_is_over_time_comma_and_body() -> None:
    sent = openrouter.body(event())
    headers = openrouter.headers("whsec_abc", event(), 1_790_000_000, sent)
    digest = hmac.new(b"whsec_abc", b"1790000000," + sent, hashlib.sha256).hexdigest()
    assert headers["X-OpenRouter-Signature"] == f"t=1790000000,v1={digest}"
    assert headers["X-OpenRouter-Idempotency-Key"] == "job_1-completed"
    later = openrouter.headers("whsec_abc", event(), 1_790_000_300, sent)
    assert later["X-OpenRouter-Signature"] != headers["X-OpenRouter-Signature"]
    assert later["X-OpenRouter-Idempotency-Key"] == headers["X-OpenRouter-Idempotency-Key"]

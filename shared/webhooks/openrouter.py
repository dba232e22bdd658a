"""The end of a job as OpenRouter posts it: its envelope, its signature, its key against repetitions."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import orjson

MICROS = 1_000_000


def body(event: str) -> bytes:
    """The frozen event in OpenRouter's envelope; the same for the same event."""
    told = orjson.loads(event)
    job = told["data"]
    data = {"id": job["id"], "status": job["status"], "generation_id": job["id"], "model": job["served_model"]}
    if job["status"] == "completed":
        data |= {"unsigned_urls": _urls(job), "usage": {"cost": job["cost_micros"] / MICROS, "is_byok": False}}
    else:
        data["error"] = (job["error"] or {}).get("message") or f"The job is {job['status']}."
    kind = f"{job['kind']}.generation.{job['status']}"
    return orjson.dumps({"type": kind, "created_at": _milliseconds(told["timestamp"]), "data": data})


def _urls(job: Mapping[str, Any]) -> list[str]:
    base = str(job["polling_url"]).removesuffix(f"/v1/jobs/{job['id']}")
    return [f"{base}/api/v1/videos/{job['id']}/content?index={output['number']}" for output in job["outputs"]]


def _milliseconds(timestamp: str) -> str:
    """Their times have three digits after the point, always."""
    whole, _, fraction = timestamp.removesuffix("Z").partition(".")
    return f"{whole}.{fraction[:3].ljust(3, '0')}Z"


def headers(secret: str, event: str, timestamp: int, sent: bytes) -> dict[str, str]:
    """The signature over time, a comma and the bytes that are sent, and a key that is the same on every try."""
    job = orjson.loads(event)["data"]
    digest = hmac.new(secret.encode(), f"{timestamp},".encode() + sent, hashlib.sha256).hexdigest()
    return {
        "X-OpenRouter-Idempotency-Key": f"{job['id']}-{job['status']}",
        "X-OpenRouter-Signature": f"t={timestamp},v1={digest}",
    }

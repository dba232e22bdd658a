"""The examples in the OpenAPI of jobs."""

from typing import Any

JOB_ID = "job_01k0zqj5w3m8v4t2c6n9xb7rde"
_URL = f"https://genqueue.example.com/v1/jobs/{JOB_ID}"
_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

ACCEPTED: dict[str, Any] = {
    "id": JOB_ID,
    "kind": "video",
    "status": "queued",
    "model": "sandbox/video",
    "polling_url": _URL,
    "created_at": "2026-07-25T09:30:00Z",
    "estimate": {"cost": "0.050000", "cost_micros": 50000},
    "rerun_of": None,
}
_FILE = {
    "url": f"{_URL}/outputs/0",
    "media_type": "video/mp4",
    "size_bytes": 183204,
    "sha256": _SHA256,
    "width": 1280,
    "height": 720,
    "duration_seconds": 5.0,
}
JOB: dict[str, Any] = {
    "id": JOB_ID,
    "kind": "video",
    "status": "completed",
    "progress": 100,
    "queue_position": None,
    "model": "sandbox/video",
    "served_model": "sandbox/video",
    "served_provider": "sandbox",
    "outputs": [
        _FILE
        | {
            "number": 0,
            "variants": {},
            "created_at": "2026-07-25T09:30:12Z",
            "expires_at": "2026-08-24T09:30:12Z",
            "deleted_at": None,
        }
    ],
    "usage": {"cost": "0.050000", "cost_micros": 50000, "estimate": "0.050000", "estimate_micros": 50000},
    "billed": None,
    "error": None,
    "in_doubt": False,
    "attempts": [
        {
            "number": 1,
            "model": "sandbox/video",
            "provider": "sandbox",
            "status": "succeeded",
            "created_at": "2026-07-25T09:30:00Z",
            "sent_at": "2026-07-25T09:30:00Z",
            "accepted_at": "2026-07-25T09:30:00Z",
            "finished_at": "2026-07-25T09:30:11Z",
            "fault": None,
            "fault_message": None,
            "cost": "0.050000",
            "cost_micros": 50000,
        }
    ],
    "priority": 5,
    "metadata": {"order": "17"},
    "polling_url": _URL,
    "rerun_of": None,
    "created_at": "2026-07-25T09:30:00Z",
    "started_at": "2026-07-25T09:30:00Z",
    "finished_at": "2026-07-25T09:30:12Z",
    "deadline_at": "2026-07-25T10:30:00Z",
    "cancel_requested_at": None,
    "deleted_at": None,
    "request": None,
    "route": None,
    "text": None,
}

"""Every way the sandbox misbehaves ends in a correct, explained state (issue: bad input and edges)."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cli import client

Finish = Callable[[str, client.Json], Awaitable[client.Json]]

# model, status, error code, statuses of the attempts
ENDS = [
    ("image-instant", "completed", None, ["succeeded"]),
    ("image-async", "completed", None, ["succeeded"]),
    ("text-async", "completed", None, ["succeeded"]),
    ("video-instant", "completed", None, ["succeeded"]),
    ("image-flaky", "completed", None, ["refused", "succeeded"]),
    ("image-refuse", "failed", "content_policy", ["refused"]),
    ("text-invalid", "failed", "invalid_input", ["refused"]),
    ("image-unavailable", "failed", "unavailable", ["refused"] * 3),
    ("video-fail", "failed", "unavailable", ["failed"] * 3),
    ("image-cut", "completed", None, ["succeeded"]),
    ("image-garbage", "failed", "in_doubt", ["in_doubt"] * 3),
    ("image-garbage-output", "failed", "output_unusable", ["failed"]),
    ("video-truncated", "failed", "output_unusable", ["failed"]),
    ("video-truncated-file", "failed", "output_unusable", ["failed"]),
    ("image-oversize", "failed", "output_unusable", ["failed"]),
    ("image-wrong-type", "failed", "output_unusable", ["failed"]),
    ("video-wrong-type", "failed", "output_unusable", ["failed"]),
    ("image-redirect", "failed", "output_unusable", ["failed"]),
    ("image-private", "failed", "output_unusable", ["failed"]),
    ("image-lost", "failed", "not_found", ["failed"]),
    ("image-expired-media", "failed", "output_unusable", ["failed"]),
    ("image-no-media", "failed", "output_unusable", ["failed"]),
    ("text-error200", "failed", "unavailable", ["refused"] * 3),
]


@pytest.fixture(scope="module")
async def ended(finish: Finish) -> dict[str, client.Json]:
    """All at once: they wait for each other's backoff anyway."""
    bodies = {row[0]: {"model": f"sandbox/{row[0]}", "prompt": "a heron", "deadline_seconds": 90} for row in ENDS}
    jobs = await asyncio.gather(*(finish(model.split("-")[0], body) for model, body in bodies.items()))
    return dict(zip(bodies, jobs, strict=True))


@pytest.mark.parametrize(("model", "status", "code", "attempts"), ENDS, ids=[row[0] for row in ENDS])
async def test_each_ends_in_an_explained_state(
    ended: dict[str, client.Json], model: str, status: str, code: str | None, attempts: list[str]
) -> None:
    job = ended[model]
    assert (job["status"], (job["error"] or {}).get("code")) == (status, code), job
    assert [attempt["status"] for attempt in job["attempts"]] == attempts
    assert (len(job["outputs"]) > 0) == (status == "completed")

"""Downloads: the redirect, and the bytes with everything HTTP says about them."""

import httpx
import pytest

from shared import clock
from shared.storage import objects as storage
from tests.integration.api import steps


@pytest.fixture
async def path(submit: steps.Submit, finish: steps.Finish) -> str:
    job_id = await submit()
    await finish(job_id)
    return f"/v1/jobs/{job_id}/outputs/0"


async def test_it_redirects_to_a_url_that_works_without_a_key(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (302, "no-store")
    async with httpx.AsyncClient(trust_env=False) as stranger:
        bytes_there = await stranger.get(answer.headers["Location"])
    assert (bytes_there.status_code, bytes_there.content) == (200, b"0123456789")
    assert bytes_there.headers["Content-Type"] == "video/mp4"
    assert ".mp4" in bytes_there.headers["Content-Disposition"]


async def test_it_streams_the_bytes(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"{path}?stream=true")
    assert (answer.status_code, answer.content) == (200, b"0123456789")
    assert answer.headers["Content-Length"] == "10"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Content-Type"] == "video/mp4"
    assert answer.headers["Content-Disposition"].startswith("inline;")
    head = await client.head(f"{path}?stream=true")
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", "10")
    same = await client.get(f"{path}?stream=true", headers={"If-None-Match": f'"other", W/{answer.headers["ETag"]}'})
    assert (same.status_code, same.content) == (304, b"")


@pytest.mark.parametrize(
    ("header", "status", "body", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("bytes=x", 200, b"0123456789", None),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=-0", 416, None, "bytes */10"),
    ],
)
async def test_ranges(
    client: httpx.AsyncClient, path: str, header: str, status: int, body: bytes | None, content_range: str | None
) -> None:
    answer = await client.get(f"{path}?stream=true", headers={"Range": header})
    assert (answer.status_code, answer.headers.get("Content-Range")) == (status, content_range)
    assert body is None or answer.content == body


async def test_a_range_of_other_bytes_is_everything(client: httpx.AsyncClient, path: str) -> None:
    etag = (await client.head(f"{path}?stream=true")).headers["ETag"]
    for condition, status in ((etag, 206), ('"other"', 200)):
        headers = {"Range": "bytes=0-0", "If-Range": condition}
        assert (await client.get(f"{path}?stream=true", headers=headers)).status_code == status


async def test_what_a_browser_might_run_is_only_saved(
    client: httpx.AsyncClient, submit: steps.Submit, finish: steps.Finish
) -> None:
    job_id = await submit()
    await finish(job_id, b"<script>", media_type="text/html; charset=utf-8")
    answer = await client.get(f"/v1/jobs/{job_id}/outputs/0?stream=true")
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert "sandbox" in answer.headers["Content-Security-Policy"]


async def test_variants_are_their_own_files(
    client: httpx.AsyncClient, submit: steps.Submit, finish: steps.Finish
) -> None:
    job_id = await submit()
    await finish(job_id)
    path = f"/v1/jobs/{job_id}/outputs/0?stream=true&variant=thumbnail"
    missing = await client.get(path)
    assert (missing.status_code, missing.json()["error"]["accepted"]) == (404, ["0?variant=main"])
    await finish(job_id, b"small", variant="thumbnail", media_type="image/jpeg")
    assert (await client.get(path)).content == b"small"
    job = (await client.get(f"/v1/jobs/{job_id}")).json()
    assert len(job["outputs"]) == 1
    assert job["outputs"][0]["variants"]["thumbnail"]["url"].endswith("/outputs/0?variant=thumbnail")


async def test_before_the_end_it_is_409_and_after_a_failure_404(
    client: httpx.AsyncClient, submit: steps.Submit, change: steps.Change
) -> None:
    job_id = await submit()
    early = await client.get(f"/v1/jobs/{job_id}/outputs/0")
    assert (early.status_code, early.json()["error"]["code"]) == (409, "not_finished")
    await change(job_id, status="failed", step="done", error_code="content_policy", error_message="No.")
    assert (await client.get(f"/v1/jobs/{job_id}/outputs/0")).status_code == 404
    job = (await client.get(f"/v1/jobs/{job_id}")).json()
    assert job["error"] == {"code": "content_policy", "message": "No."}


async def test_what_has_expired_or_was_taken_away_is_410(
    client: httpx.AsyncClient, objects: storage.Objects, submit: steps.Submit, finish: steps.Finish
) -> None:
    expired, taken = await submit(), await submit()
    await finish(expired, expires_at=clock.now())
    output = await finish(taken)
    await objects.delete([output.key])
    for job_id in (expired, taken):
        assert (await client.get(f"/v1/jobs/{job_id}/outputs/0?stream=true")).status_code == 410

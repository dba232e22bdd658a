"""Bodies that clients really send: forms with paths for names, files in pieces, keys against repetitions."""

from typing import Any

import httpx
import pytest

OPENAI = "/openai/v1"
VIDEO = {"model": "sandbox/video", "prompt": "a heron", "seconds": "4", "size": "1280x720"}
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


async def stored(client: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    body: dict[str, Any] = (await client.get(f"/v1/jobs/{job_id}", params={"expand": "request"})).json()["request"]
    return body


async def test_a_form_and_json_make_the_same_request(client: httpx.AsyncClient) -> None:
    form = {**VIDEO, "metadata[order]": "17", "seed": "7", "models[]": ["sandbox/video-slow"]}
    json = {**VIDEO, "metadata": {"order": "17"}, "seed": 7, "models": ["sandbox/video-slow"]}
    by_form = await client.post(f"{OPENAI}/videos", data=form)
    by_json = await client.post(f"{OPENAI}/videos", json=json)
    assert (by_form.status_code, by_json.status_code) == (200, 200), by_form.text
    assert await stored(client, by_form.json()["id"]) == await stored(client, by_json.json()["id"])


async def test_a_picture_is_known_by_its_bytes(client: httpx.AsyncClient) -> None:
    files = {"input_reference": ("upload", PNG, "application/octet-stream")}
    made = await client.post(f"{OPENAI}/videos", data=VIDEO, files=files)
    (frame,) = (await stored(client, made.json()["id"]))["frame_images"]
    assert frame["image_url"]["url"].startswith("data:image/png;base64,")
    assert frame["frame_type"] == "first_frame"


async def test_the_key_holds_for_forms_too_whatever_their_boundary(client: httpx.AsyncClient) -> None:
    files = {"input_reference": ("upload", PNG, "image/png")}
    key = {"Idempotency-Key": "form-1"}
    first, second = [await client.post(f"{OPENAI}/videos", data=VIDEO, files=files, headers=key) for _ in range(2)]
    assert first.json()["id"] == second.json()["id"]
    other = await client.post(f"{OPENAI}/videos", data=VIDEO | {"prompt": "b"}, files=files, headers=key)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_mismatch")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"anything", "multipart/form-data"),
        (b"", "multipart/form-data; boundary=x"),
    ],
)
async def test_a_broken_form_is_a_400(client: httpx.AsyncClient, body: bytes, content_type: str) -> None:
    answer = await client.post(f"{OPENAI}/videos", content=body, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_names_that_contradict_each_other_are_a_400(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{OPENAI}/videos", data={**VIDEO, "metadata": "x", "metadata[a]": "y"})
    assert answer.status_code == 400


async def test_a_file_over_the_limit_is_a_413_and_nothing_is_kept(client: httpx.AsyncClient) -> None:
    files = {"file": ("big.bin", b"x" * 1024, "application/octet-stream")}
    huge = {"Content-Length": str(600 * 1024 * 1024)}
    answer = await client.post(f"{OPENAI}/files", data={"purpose": "user_data"}, files=files, headers=huge)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert (await client.get(f"{OPENAI}/files")).json()["data"] == []


async def test_lists_say_where_they_end(client: httpx.AsyncClient) -> None:
    ids = [(await client.post(f"{OPENAI}/videos", json=VIDEO)).json()["id"] for _ in range(3)]
    first = (await client.get(f"{OPENAI}/videos", params={"limit": 2, "order": "asc"})).json()
    assert ([video["id"] for video in first["data"]], first["has_more"], first["last_id"]) == (ids[:2], True, ids[1])
    rest = (await client.get(f"{OPENAI}/videos", params={"limit": 2, "order": "asc", "after": ids[1]})).json()
    assert ([video["id"] for video in rest["data"]], rest["has_more"]) == (ids[2:], False)


async def test_a_queued_video_is_deleted_at_once(client: httpx.AsyncClient) -> None:
    video_id = (await client.post(f"{OPENAI}/videos", json=VIDEO)).json()["id"]
    assert (await client.delete(f"{OPENAI}/videos/{video_id}")).json()["deleted"] is True
    assert (await client.get(f"{OPENAI}/videos/{video_id}")).status_code == 404
    assert (await client.get(f"{OPENAI}/videos")).json()["data"] == []
    assert (await client.get(f"/v1/jobs/{video_id}")).json()["status"] == "cancelled"

"""`callback_url` of OpenRouter's video API: its envelope and its signature, at a receiver on a real socket."""

import hashlib
import hmac
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.integration.webhooks import desk


@pytest.fixture
async def receiver() -> AsyncIterator[desk.Desk]:
    async with desk.opened() as made:
        yield made


@pytest.mark.parametrize(("model", "status"), [("sandbox/video", "completed"), ("sandbox/video-refuse", "failed")])
async def test_the_end_of_a_video_is_posted_as_openrouter_posts_it(
    http: httpx.AsyncClient, receiver: desk.Desk, model: str, status: str
) -> None:
    body = {"model": model, "prompt": "x", "callback_url": receiver.url()}
    job = (await http.post("/api/v1/videos", json=body)).json()
    await receiver.until(1)
    [got] = receiver.got
    headers = {name.lower(): value for name, value in got.headers.items()}
    assert set(got.event) == {"type", "created_at", "data"}
    assert got.event["type"] == f"video.generation.{status}"
    assert got.event["data"]["id"] == got.event["data"]["generation_id"] == job["id"]
    assert headers["x-openrouter-idempotency-key"] == f"{job['id']}-{status}"
    secret = (await http.get("/v1/webhook-secret")).json()["secret"]
    stamp, _, digest = headers["x-openrouter-signature"].partition(",v1=")
    signed = f"{stamp.removeprefix('t=')},".encode() + got.body
    assert digest == hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


async def test_a_callback_to_a_private_place_is_refused_by_its_own_name(http: httpx.AsyncClient) -> None:
    body = {"model": "sandbox/video", "prompt": "x", "callback_url": "http://169.254.169.254/"}
    answer = await http.post("/api/v1/videos", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["metadata"]["param"]) == (400, 400, "callback_url")

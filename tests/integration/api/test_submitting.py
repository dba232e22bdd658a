"""POST: 202, headers, idempotency."""

import asyncio
from typing import Any

import httpx
import pytest

from shared import settings
from tests.integration.api import steps

VIDEO = {"model": "sandbox/video", "prompt": "A paper boat", "duration": 2}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("video", VIDEO),
        ("image", {"model": "sandbox/image", "prompt": "A lighthouse"}),
        ("text", {"model": "sandbox/text", "prompt": "Name a river"}),
    ],
)
async def test_it_is_stored_and_answered_with_where_to_poll(
    client: httpx.AsyncClient, configured: settings.Settings, kind: str, body: dict[str, Any]
) -> None:
    answer = await client.post(f"/v1/{kind}s", json=body)
    receipt = answer.json()
    assert answer.status_code == 202
    assert (receipt["kind"], receipt["status"], receipt["model"]) == (kind, "queued", body["model"])
    assert receipt["polling_url"] == f"{configured.public_url}/v1/jobs/{receipt['id']}"
    assert answer.headers["Location"] == receipt["polling_url"]
    assert int(answer.headers["Retry-After"]) >= 1
    assert receipt["estimate"]["cost"] == f"{receipt['estimate']['cost_micros'] / 1_000_000:.6f}"
    job = (await client.get(receipt["polling_url"].removeprefix(configured.public_url))).json()
    assert (job["id"], job["status"], job["queue_position"], job["attempts"]) == (receipt["id"], "queued", 1, [])


async def test_the_same_key_and_body_are_one_job_however_many_race(
    client: httpx.AsyncClient, count: steps.Count
) -> None:
    headers = {"Idempotency-Key": '"order-17"'}
    answers = await asyncio.gather(*(client.post("/v1/videos", json=VIDEO, headers=headers) for _ in range(12)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert await count() == 5  # job, request, event, key, ledger
    # Spaces, the order of fields and quotes around the key are no difference.
    reordered = b'{ "duration": 2, "prompt": "A paper boat", "model": "sandbox/video" }'
    again = await client.post(
        "/v1/videos", content=reordered, headers={"Idempotency-Key": "order-17", "Content-Type": "application/json"}
    )
    assert again.json()["id"] == answers[0].json()["id"]
    assert again.headers["Idempotent-Replayed"] == "true"


async def test_the_same_key_with_another_body_is_an_error(client: httpx.AsyncClient, count: steps.Count) -> None:
    headers = {"Idempotency-Key": "order-17"}
    await client.post("/v1/videos", json=VIDEO, headers=headers)
    before = await count()
    answer = await client.post("/v1/videos", json=VIDEO | {"prompt": "Another"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "idempotency_mismatch")
    assert await count() == before


async def test_the_key_may_come_in_the_other_header(client: httpx.AsyncClient, configured: settings.Settings) -> None:
    key = configured.admin_key.get_secret_value()
    del client.headers["Authorization"]
    assert (await client.get("/v1/jobs", headers={"X-Api-Key": key})).status_code == 200
    assert (await client.get("/v1/jobs", headers={"X-Api-Key": key + "x"})).status_code == 401


async def test_a_sane_request_id_is_kept_and_any_other_replaced(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/jobs", headers={"X-Request-Id": "abc-1"})).headers["X-Request-Id"] == "abc-1"
    replaced = await client.get("/v1/jobs", headers={"X-Request-Id": "a b\\"})
    assert replaced.headers["X-Request-Id"].startswith("req_")
    assert replaced.headers["X-Content-Type-Options"] == "nosniff"
    assert replaced.headers["Cache-Control"] == "no-store"

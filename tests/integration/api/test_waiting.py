"""`?wait=`: held until something changes, never longer."""

import asyncio

import httpx
import pydantic
import pytest

from shared import settings
from shared.queues import live
from shared.services import waiting
from tests.integration.api import steps


async def holding(client: httpx.AsyncClient, job_id: str, seconds: int = 60) -> asyncio.Task[httpx.Response]:
    """A poll that is being held."""
    held = asyncio.create_task(client.get(f"/v1/jobs/{job_id}?wait={seconds}"))
    done, _ = await asyncio.wait({held}, timeout=0.3)
    assert not done
    return held


async def test_it_answers_when_the_change_is_announced(
    client: httpx.AsyncClient,
    redis_url: str,
    submit: steps.Submit,
    change: steps.Change,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Nothing but an announcement can end this wait early.
    monkeypatch.setattr(waiting, "RECHECK_SECONDS", 600)
    monkeypatch.setattr(live, "BLIND_SECONDS", 600)
    job_id = await submit()
    held = await holding(client, job_id)
    await change(job_id, status="in_progress", progress=40)
    news = live.News(redis_url)
    news.start()
    for _ in range(100):  # the subscription may have come after the first
        news.tell(job_id)
        if (await asyncio.wait({held}, timeout=0.2))[0]:
            break
    await news.close()
    answer = await asyncio.wait_for(held, 1)
    assert (answer.json()["status"], answer.json()["progress"]) == ("in_progress", 40)


async def test_it_answers_although_nobody_announced_the_change(
    client: httpx.AsyncClient, submit: steps.Submit, change: steps.Change
) -> None:
    job_id = await submit()
    held = await holding(client, job_id)
    await change(job_id, progress=1)
    assert (await asyncio.wait_for(held, 30)).json()["progress"] == 1


async def test_a_cancel_ends_the_wait(client: httpx.AsyncClient, submit: steps.Submit) -> None:
    job_id = await submit()
    held = await holding(client, job_id)
    await client.post(f"/v1/jobs/{job_id}/cancel")
    assert (await asyncio.wait_for(held, 30)).json()["status"] == "cancelled"


async def test_it_answers_at_the_end_of_the_time_and_at_once_for_what_is_over(
    client: httpx.AsyncClient, submit: steps.Submit, finish: steps.Finish
) -> None:
    job_id = await submit()
    answer = await asyncio.wait_for(client.get(f"/v1/jobs/{job_id}?wait=1"), 30)
    assert answer.json()["status"] == "queued"
    await finish(job_id)
    assert (await asyncio.wait_for(client.get(f"/v1/jobs/{job_id}?wait=60"), 30)).json()["status"] == "completed"


@pytest.mark.usefixtures("database")
async def test_it_works_without_redis(serve: steps.Serve, configured: settings.Settings, change: steps.Change) -> None:
    away = configured.model_copy(update={"redis_url": pydantic.SecretStr("redis://127.0.0.1:1/0")})
    async with serve(away) as client:
        body = {"model": "sandbox/video", "prompt": "A paper boat"}
        answer = await client.post("/v1/videos", json=body)
        assert answer.status_code == 202
        held = await holding(client, answer.json()["id"])
        await change(answer.json()["id"], progress=7)
        assert (await asyncio.wait_for(held, 30)).json()["progress"] == 7
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "degraded", "degraded": ["redis"]})

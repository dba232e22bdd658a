"""The busiest routes answer the same, whether they are reached past FastAPI or through it."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api import app, shortcuts
from shared import settings
from shared.db import engine
from tests.integration.api import steps

VIDEO = {"model": "sandbox/video", "prompt": "A paper boat", "duration": 2}
JSON = {"Content-Type": "application/json"}
# What differs between any two requests.
CHANGING = re.compile(r"(job|req|evt)_[0-9a-z]{26}|\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)")
ENOUGH = 5

ASKED: dict[str, dict[str, Any]] = {
    "good": {"method": "POST", "url": "/v1/videos", "json": VIDEO},
    "keyed": {"method": "POST", "url": "/v1/videos", "json": VIDEO, "headers": {"Idempotency-Key": '"order-17"'}},
    "bad key": {"method": "POST", "url": "/v1/videos", "json": VIDEO, "headers": {"Idempotency-Key": "a b"}},
    "two faults": {"method": "POST", "url": "/v1/videos", "json": {"model": 1, "prompt": ""}},
    "unknown field": {"method": "POST", "url": "/v1/images", "json": VIDEO | {"promt": "x"}},
    "unknown model": {"method": "POST", "url": "/v1/videos", "json": VIDEO | {"model": "sandbox/vidoe"}},
    "no JSON": {"method": "POST", "url": "/v1/texts", "content": b'{"model": ', "headers": JSON},
    "a list": {"method": "POST", "url": "/v1/videos", "content": b"[]", "headers": JSON},
    "empty": {"method": "POST", "url": "/v1/videos", "headers": JSON},
    "a form": {"method": "POST", "url": "/v1/videos", "data": {"model": "x"}},
    "a query": {"method": "POST", "url": "/v1/videos?dry=1", "json": VIDEO},
    "another method": {"method": "PUT", "url": "/v1/videos", "json": VIDEO},
    "a stranger": {"method": "POST", "url": "/v1/videos", "json": VIDEO, "headers": {"Authorization": "Bearer no"}},
    "job": {"method": "GET", "url": "/v1/jobs/{job}"},
    "job in full": {"method": "GET", "url": "/v1/jobs/{job}?expand=request&wait=0"},
    "no job": {"method": "GET", "url": "/v1/jobs/job_nonsense"},
    "another's events": {"method": "GET", "url": "/v1/batches/bat_nonsense/events"},
    "events": {"method": "GET", "url": "/v1/jobs/{job}/events"},
    "events again": {"method": "GET", "url": "/v1/jobs/{job}/events", "headers": {"Last-Event-ID": "evt_nonsense"}},
}


@pytest.fixture
async def through(
    client: httpx.AsyncClient, serve: steps.Serve, configured: settings.Settings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app without shortcuts; that of `client` has them."""
    monkeypatch.setattr(app, "BUSIEST", ())
    async with serve(configured) as made:
        yield made


async def told(client: httpx.AsyncClient, name: str, job_id: str) -> tuple[int, str, dict[str, str]]:
    wish = ASKED[name]
    answer = await client.request(**wish | {"url": wish["url"].format(job=job_id)})
    headers = {key: CHANGING.sub("…", value) for key, value in answer.headers.items() if key != "content-length"}
    return answer.status_code, CHANGING.sub("…", answer.text), headers


@pytest.mark.parametrize("name", ASKED)
async def test_an_answer_is_the_same_on_both_ways(
    client: httpx.AsyncClient, through: httpx.AsyncClient, submit: steps.Submit, name: str
) -> None:
    job_id = await submit()
    await client.post(f"/v1/jobs/{job_id}/cancel")
    await told(client, name, job_id)  # an Idempotency-Key is known from here on, for both
    assert await told(client, name, job_id) == await told(through, name, job_id)


@pytest.mark.parametrize("operation", ["list_jobs", "create_key", "cancel_job"])
def test_what_needs_fastapi_has_no_shortcut(operation: str) -> None:
    with pytest.raises(ValueError, match=f"{operation} needs FastAPI"):
        shortcuts.of(app.ROUTERS, [operation])


async def test_lines_to_the_database_that_were_cut_are_made_again(
    client: httpx.AsyncClient, submit: steps.Submit, database: engine.Database
) -> None:
    job_id = await submit()
    for _ in range(ENOUGH):
        assert (await client.get(f"/v1/jobs/{job_id}")).status_code == 200
    async with database.transaction() as connection:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'genqueue-api'"
        assert (await connection.execute(sa.text(cut))).all()
    answers = [await client.get(f"/v1/jobs/{job_id}"), await client.post("/v1/videos", json=VIDEO)]
    assert {answer.status_code for answer in answers} <= {200, 202, 503}
    answers = [await client.get(f"/v1/jobs/{job_id}"), await client.post("/v1/videos", json=VIDEO)]
    assert [answer.status_code for answer in answers] == [200, 202]

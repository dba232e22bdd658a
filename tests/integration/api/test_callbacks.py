"""Providers calling back: the signed URL of an attempt, and how little can be done with it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from shared import clock, ids, settings
from shared.db import engine, rows
from shared.db.tables import attempts as tables
from shared.db.tables import jobs as job_tables
from shared.domain import attempts, jobs
from shared.services import attempts as attempt_services
from shared.services import callbacks, claims, polls
from tests.integration.api import steps

Plant = Callable[..., Awaitable[str]]
LATER = timedelta(hours=1)


@pytest.fixture
def url(configured: settings.Settings) -> Callable[[str], str]:
    """The path a provider was given for an attempt."""
    signer = callbacks.signer(configured.model_copy(update={"public_url": "https://gen.example.com"}))

    def path(attempt_id: str) -> str:
        given = signer.url(attempt_id)
        assert given is not None
        return given.removeprefix("https://gen.example.com")

    return path


@pytest.fixture
def plant(database: engine.Database, submit: steps.Submit, change: steps.Change) -> Plant:
    """A job with one attempt, neither of which is due for an hour; answers the attempt's id."""

    async def planted(stage: str, step: str, upstream_id: str | None = None, **fields: Any) -> str:
        job_id, attempt_id, now = await submit(), ids.new(ids.Prefix.ATTEMPT), clock.now()
        row = {"id": attempt_id, "job_id": job_id, "number": 1, "model": "sandbox/video", "provider": "sandbox"}
        row |= {"upstream_model": "video", "status": stage, "reference": f"{job_id}.1", "created_at": now}
        async with database.transaction() as connection:
            await connection.execute(sa.insert(tables.attempts).values(**row, sent_at=now, upstream_id=upstream_id))
        due_at = now + LATER
        values = {"status": "in_progress", "step": step, "attempt_id": attempt_id, "due_at": due_at, "ring_at": due_at}
        await change(job_id, **(values | fields))
        return attempt_id

    return planted


@pytest.fixture
def read(database: engine.Database) -> Callable[[str], Awaitable[tuple[jobs.Job, attempts.Attempt]]]:
    """A job and its attempt as they are now."""

    async def both(attempt_id: str) -> tuple[jobs.Job, attempts.Attempt]:
        async with database.transaction() as connection:
            found = await connection.execute(sa.select(tables.attempts).where(tables.attempts.c.id == attempt_id))
            attempt = rows.attempt(found.one())
            table = job_tables.jobs
            found = await connection.execute(sa.select(table).where(table.c.id == attempt.job_id))
            return rows.job(found.one()), attempt

    return both


Read = Callable[[str], Awaitable[tuple[jobs.Job, attempts.Attempt]]]
Url = Callable[[str], str]


async def test_a_call_makes_the_job_due_now_and_is_not_believed(
    client: httpx.AsyncClient, plant: Plant, read: Read, url: Url
) -> None:
    attempt_id = await plant("accepted", "poll", "up-1")
    answer = await client.post(url(attempt_id), json={"id": "up-2", "status": "failed"}, headers={"Authorization": ""})
    job, attempt = await read(attempt_id)
    assert answer.status_code == 202
    assert job.due_at <= clock.now()
    assert (job.status, attempt.status, attempt.upstream_id) == ("in_progress", "accepted", "up-1")


@pytest.mark.parametrize("body", [b"", b"not json", b"[1]", b"x" * 300_000, b'{"id": "a\\u0000b"}'])
async def test_whatever_is_sent_does_no_harm(
    client: httpx.AsyncClient, plant: Plant, read: Read, url: Url, body: bytes
) -> None:
    attempt_id = await plant("in_doubt", "submit")
    assert (await client.post(url(attempt_id), content=body)).status_code == 202
    job, attempt = await read(attempt_id)
    assert (attempt.upstream_id, attempt.status) == (None, "in_doubt")
    assert job.due_at > clock.now()


async def test_only_our_own_signature_opens(client: httpx.AsyncClient, plant: Plant, read: Read, url: Url) -> None:
    attempt_id, other = await plant("accepted", "poll", "up-1"), await plant("accepted", "poll", "up-2")
    signature = url(attempt_id).partition(".")[2]
    forged = [f"/callbacks/{other}.{signature}", f"/callbacks/{attempt_id}.{'0' * 64}", f"/callbacks/{attempt_id}"]
    for path in (*forged, "/callbacks/x.é", url(attempt_id) + "0"):
        assert (await client.post(path, json={})).status_code == 404
    assert (await read(other))[0].due_at > clock.now()


async def test_an_attempt_in_doubt_is_found_and_waited_for_again(
    client: httpx.AsyncClient, plant: Plant, read: Read, url: Url, database: engine.Database
) -> None:
    attempt_id = await plant("in_doubt", "submit")
    assert (await client.post(url(attempt_id), json={"request_id": "up-9"})).status_code == 202
    job, attempt = await read(attempt_id)
    assert (attempt.upstream_id, attempt.status) == ("up-9", "in_doubt")
    claim = await claims.claim(database, job.id, "prc_test", clock.now())
    assert claim is not None
    assert claim.last is not None
    await attempt_services.resumed(database, claim.job, claim.last, clock.now())
    job, attempt = await read(attempt_id)
    assert (job.step, attempt.status, attempt.finished_at, attempt.fault) == ("poll", "accepted", None, None)
    [due] = await polls.take(database, clock.now(), 10, lambda _: 60.0)
    assert due.upstream_id == "up-9"


async def test_a_job_that_is_over_stays_over_and_the_discovery_is_kept(
    client: httpx.AsyncClient, plant: Plant, read: Read, url: Url
) -> None:
    attempt_id = await plant("in_doubt", "done", status="failed", finished_at=clock.now())
    before = (await read(attempt_id))[0]
    assert (await client.post(url(attempt_id), json={"id": "up-9"})).status_code == 202
    job, attempt = await read(attempt_id)
    assert (job, attempt.status, attempt.upstream_id) == (before, "in_doubt", "up-9")


async def test_the_id_of_another_attempt_is_not_taken(
    client: httpx.AsyncClient, plant: Plant, read: Read, url: Url
) -> None:
    await plant("accepted", "poll", "up-1")
    attempt_id = await plant("in_doubt", "submit")
    assert (await client.post(url(attempt_id), json={"id": "up-1"})).status_code == 202
    assert (await read(attempt_id))[1].upstream_id is None


async def test_a_job_somebody_works_on_is_left_alone(
    client: httpx.AsyncClient, plant: Plant, read: Read, url: Url
) -> None:
    attempt_id = await plant("accepted", "poll", "up-1", lease_owner="prc_x")
    before = (await read(attempt_id))[0]
    assert (await client.post(url(attempt_id), json={})).status_code == 202
    assert (await read(attempt_id))[0] == before


def test_urls_are_given_only_where_they_can_be_reached(configured: settings.Settings) -> None:
    def given(public_url: str, wish: str) -> bool:
        changed = configured.model_copy(update={"public_url": public_url, "callbacks": wish})
        return callbacks.signer(changed).url(ids.new(ids.Prefix.ATTEMPT)) is not None

    assert given("https://gen.example.com", "auto")
    assert not given("http://127.0.0.1:8080", "auto")
    assert not given("http://[::1]:8080", "auto")
    assert not given("http://localhost:8080", "auto")
    assert given("http://127.0.0.1:8080", "always")
    assert not given("https://gen.example.com", "never")


async def test_where_the_provider_signs_an_unsigned_call_comes_to_nothing(
    configured: settings.Settings, serve: steps.Serve, plant: Plant, read: Read, url: Url
) -> None:
    secrets = {"sandbox": [SecretStr("a secret")], "replicate": [SecretStr("whsec_AAAA")]}
    attempt_id = await plant("accepted", "poll", "up-1")
    async with serve(configured.model_copy(update={"callback_secrets": secrets})) as client:
        assert (await client.post(url(attempt_id), json={"id": "up-1"})).status_code == 202
    assert (await read(attempt_id))[0].due_at > clock.now()
    other = {"replicate": secrets["replicate"]}
    async with serve(configured.model_copy(update={"callback_secrets": other})) as client:
        assert (await client.post(url(attempt_id), json={"id": "up-1"})).status_code == 202
    assert (await read(attempt_id))[0].due_at <= clock.now()

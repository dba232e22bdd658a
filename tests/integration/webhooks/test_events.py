"""Following events: nothing is skipped when transactions race, streams resume, and Redis may be away."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from shared import clock, errors, settings
from shared.db import events as rows
from shared.db import schema
from shared.domain import events
from shared.queues import live
from shared.services import events as services
from tests.integration.webhooks import conftest

NO_REDIS = "redis://127.0.0.1:1/0"
Kind = events.EventType


class Following:
    """Follows on one process, with its ear at a Redis."""

    def __init__(self, bench: conftest.Bench, redis_url: str) -> None:
        self.changes = live.Changes(redis_url)
        self.stopping = asyncio.Event()
        self.follower = services.Follower(bench.db, self.changes, self.stopping)

    async def page(self, cursor: str | None, wait_seconds: float = 0.0) -> events.EventPage:
        return await self.follower.feed(conftest.TENANT, cursor, frozenset(), 100, wait_seconds)

    async def course(self, job_id: str, after: int = 0) -> list[str]:
        followed = self.follower.follow(conftest.TENANT, job_id, after, events.JOB_ENDS)
        return [event.type async for event in followed if event is not None]


@pytest.fixture
async def following(bench: conftest.Bench, redis_url: str) -> AsyncIterator[Following]:
    made = Following(bench, redis_url)
    made.changes.start()
    yield made
    await made.changes.close()


async def test_an_event_that_commits_late_is_not_skipped(bench: conftest.Bench, following: Following) -> None:
    slow, quick = await bench.job(), await bench.job()
    before = await following.page(None)
    async with bench.db.transaction() as connection:
        late = await rows.append(connection, slow, conftest.TENANT, Kind.JOB_STARTED, clock.now(), {})
        soon = await bench.happen(quick, Kind.JOB_STARTED)
        # The quick one has the larger id and is committed, but the slow one could still come before it.
        assert late.id < soon.id
        during = await following.page(before.next_cursor)
        assert during.events == ()
        assert during.next_cursor == before.next_cursor
    after = await following.page(during.next_cursor)
    assert [event.id for event in after.events] == [late.id, soon.id]


async def test_whoever_reads_on_while_many_write_sees_every_event_once(
    bench: conftest.Bench, following: Following
) -> None:
    jobs = [await bench.job() for _ in range(10)]
    written = asyncio.gather(*(write(bench, job_id) for job_id in jobs))
    seen: list[events.Event] = []
    cursor = None
    async with asyncio.timeout(60):
        while len(seen) < 10 * 11:
            page = await following.page(cursor, wait_seconds=0.05)
            seen += page.events
            cursor = page.next_cursor
    await written
    assert len({event.id for event in seen}) == len(seen)
    for job_id in jobs:
        assert [event.sequence for event in seen if event.subject_id == job_id] == list(range(1, 12))


async def write(bench: conftest.Bench, job_id: str) -> None:
    for _ in range(10):
        await bench.happen(job_id, Kind.JOB_PROGRESS)


async def test_events_of_a_restored_dump_are_read_before_what_happens_next(
    bench: conftest.Bench, following: Following, configured: settings.Settings
) -> None:
    job_id = await bench.job()
    async with bench.db.transaction() as connection:
        await connection.exec_driver_sql("UPDATE events SET xact = xact + 1000000")
    assert (await following.page(None)).events == ()
    await schema.upgrade(configured.database_url.get_secret_value())
    started = await bench.happen(job_id, Kind.JOB_STARTED)
    assert [event.sequence for event in (await following.page(None)).events] == [1, started.sequence]


async def test_a_cursor_that_is_kept_no_longer_is_told_so(bench: conftest.Bench, following: Following) -> None:
    await bench.job()
    [first] = (await following.page(None)).events
    later = clock.now() + timedelta(days=31)
    assert await services.forget_old(bench.db, later, 30 * 86400, 100) == 1
    with pytest.raises(errors.GoneError):
        await following.page(first.id)


async def test_a_held_feed_answers_when_something_is_announced(
    bench: conftest.Bench, following: Following, redis_url: str
) -> None:
    job_id = await bench.job()
    cursor = (await following.page(None)).next_cursor
    held = asyncio.create_task(following.page(cursor, wait_seconds=30))
    news = live.News(redis_url)
    news.start()
    event = await bench.happen(job_id, Kind.JOB_STARTED)
    news.tell(job_id, conftest.TENANT)
    async with asyncio.timeout(20):
        assert [item.id for item in (await held).events] == [event.id]
    await news.close()


@pytest.mark.parametrize("redis", ["up", "down"])
async def test_many_follow_on_one_subscription_and_without_any(
    bench: conftest.Bench, redis_url: str, redis: str
) -> None:
    following = Following(bench, redis_url if redis == "up" else NO_REDIS)
    following.changes.start()
    jobs = [await bench.job() for _ in range(20)]
    streams = [asyncio.create_task(following.course(job_id)) for job_id in jobs for _ in range(50)]
    for job_id in jobs:
        await bench.happen(job_id, Kind.JOB_STARTED)
        await bench.happen(job_id, Kind.JOB_CANCELLED)
    if redis == "up":
        async with announcing(redis_url, jobs):
            await ended(streams)
    else:
        await ended(streams)
    assert {tuple(stream.result()) for stream in streams} == {("job.queued", "job.started", "job.cancelled")}
    await following.changes.close()


async def ended(streams: list[asyncio.Task[list[str]]]) -> None:
    async with asyncio.timeout(60):
        await asyncio.gather(*streams)


@contextlib.asynccontextmanager
async def announcing(redis_url: str, job_ids: list[str]) -> AsyncIterator[None]:
    news = live.News(redis_url)
    news.start()
    for job_id in job_ids:
        news.tell(job_id, conftest.TENANT)
    yield
    await news.close()


async def test_a_stream_resumes_after_the_last_event_and_is_over_when_there_is_no_more(
    bench: conftest.Bench, following: Following
) -> None:
    job_id = await bench.job()
    started = await bench.happen(job_id, Kind.JOB_STARTED)
    after = await following.follower.start_of(conftest.TENANT, job_id, started.id)
    assert after == started.sequence
    end = await bench.happen(job_id, Kind.JOB_FAILED)
    assert await following.course(job_id, after) == ["job.failed"]
    assert await following.follower.start_of(conftest.TENANT, job_id, "evt_unknown") == 0
    async with bench.db.transaction() as connection:
        await connection.exec_driver_sql("UPDATE jobs SET status = 'failed', step = 'done'")
    assert await following.follower.start_of(conftest.TENANT, job_id, end.id) is None


async def test_a_stream_ends_with_its_process(bench: conftest.Bench, following: Following) -> None:
    job_id = await bench.job()
    stream = asyncio.create_task(following.course(job_id))
    following.stopping.set()
    async with asyncio.timeout(10):
        assert await stream in ([], ["job.queued"])

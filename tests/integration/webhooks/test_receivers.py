"""What one receiver does to itself and never to the others: 410, slowing down, circuits, being disabled."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from shared.db import deliveries as rows
from shared.db import deliveries_log, engine
from shared.db import events as event_rows
from shared.domain import deliveries, events, jobs, receivers
from shared.services import deliveries as services
from shared.services import polls
from shared.services import receivers as receiver_services
from tests.integration.webhooks import conftest, desk

Status = deliveries.DeliveryStatus


async def statuses(bench: conftest.Bench) -> list[deliveries.DeliveryStatus]:
    async with bench.db.transaction() as connection:
        found = await deliveries_log.page(connection, conftest.TENANT, deliveries_log.Filter(), None, 1000)
    return [item.status for item in reversed(found)]


async def now_is(bench: conftest.Bench, receiver: receivers.Receiver) -> receivers.Receiver:
    return await receiver_services.get(bench.db, conftest.TENANT, receiver.id)


async def test_410_disables_it_and_tells_the_others(
    bench: conftest.Bench, hands: conftest.TurnableClock, receiver_desk: desk.Desk, other_desk: desk.Desk
) -> None:
    receiver_desk.mode = "410"
    gone = await bench.receiver(receiver_desk.url())
    await bench.receiver(other_desk.url())
    await bench.job()
    await bench.deliver()
    assert (await now_is(bench, gone)).disabled_reason is receivers.DisabledReason.GONE
    assert sorted(got.event["type"] for got in other_desk.good) == ["job.queued", "receiver.disabled"]
    told = next(got.event for got in other_desk.good if got.event["type"] == "receiver.disabled")
    assert (told["data"]["id"], told["data"]["reason"]) == (gone.id, "gone")
    await bench.job()
    await bench.deliver()
    assert len(receiver_desk.got) == 1


async def test_five_days_of_nothing_but_failures_disable_it(
    bench: conftest.Bench, hands: conftest.TurnableClock, receiver_desk: desk.Desk, other_desk: desk.Desk
) -> None:
    receiver_desk.mode = "500"
    failing = await bench.receiver(receiver_desk.url())
    await bench.receiver(other_desk.url(), events=(events.EventType.RECEIVER_DISABLED,))
    start = hands.at
    while hands.at < start + timedelta(days=5):
        assert (await now_is(bench, failing)).disabled_at is None
        await bench.job()
        await bench.deliver()
        hands.at += timedelta(hours=10)
    await bench.deliver()
    assert (await now_is(bench, failing)).disabled_reason is receivers.DisabledReason.FAILING
    assert [got.event["data"]["reason"] for got in other_desk.good] == ["failing"]
    assert Status.PENDING not in await statuses(bench)


async def test_one_success_in_five_days_keeps_it(
    bench: conftest.Bench, hands: conftest.TurnableClock, receiver_desk: desk.Desk
) -> None:
    receiver = await bench.receiver(receiver_desk.url())
    for day in range(9):
        receiver_desk.mode = "ok" if day == 4 else "500"
        await bench.job()
        await bench.deliver()
        hands.at += timedelta(days=1)
    assert (await now_is(bench, receiver)).disabled_at is None


@pytest.mark.parametrize("status", ["429", "502", "504"])
async def test_it_is_left_alone_for_as_long_as_it_asks(
    bench: conftest.Bench, hands: conftest.TurnableClock, receiver_desk: desk.Desk, status: str
) -> None:
    receiver_desk.mode, receiver_desk.answer_headers = status, {"Retry-After": "120"}
    await bench.receiver(receiver_desk.url())
    await bench.job()
    await bench.deliver()
    receiver_desk.mode = "ok"
    await bench.job()
    hands.at += timedelta(seconds=119)
    await bench.deliver()
    assert receiver_desk.good == []
    hands.at += timedelta(seconds=1)
    await bench.deliver()
    assert await statuses(bench) == [Status.DELIVERED, Status.DELIVERED]


async def test_retry_after_of_an_error_is_longer_than_the_schedule_or_ignored(
    bench: conftest.Bench, hands: conftest.TurnableClock, receiver_desk: desk.Desk
) -> None:
    receiver_desk.mode, receiver_desk.answer_headers = "500", {"Retry-After": "1"}
    await bench.receiver(receiver_desk.url())
    await bench.job()
    await bench.deliver()
    due = await bench.next_at()
    assert due is not None
    assert timedelta(seconds=5) <= due - hands.at <= timedelta(seconds=6)


@pytest.mark.parametrize(("status", "to"), [("301", "/elsewhere"), ("307", "http://169.254.169.254/")])
async def test_a_redirect_is_a_failure_and_is_not_followed(
    bench: conftest.Bench, hands: conftest.TurnableClock, receiver_desk: desk.Desk, status: str, to: str
) -> None:
    receiver_desk.mode, receiver_desk.answer_headers = status, {"Location": to}
    await bench.receiver(receiver_desk.url())
    await bench.job()
    await bench.deliver()
    assert [got.path for got in receiver_desk.got] == ["/hook"]
    assert await statuses(bench) == [Status.PENDING]


async def test_a_circuit_opens_and_lets_one_through_at_a_time(
    bench: conftest.Bench, hands: conftest.TurnableClock, receiver_desk: desk.Desk
) -> None:
    receiver_desk.mode = "503"
    receiver = await bench.receiver(receiver_desk.url())
    for _ in range(30):
        await bench.job()
    await bench.deliver()
    open_circuit = await now_is(bench, receiver)
    assert open_circuit.paused_until_at is not None
    assert len(receiver_desk.got) <= bench.limits.in_flight
    before = len(receiver_desk.got)
    hands.at = open_circuit.paused_until_at
    await bench.deliver()
    assert len(receiver_desk.got) == before + 1
    receiver_desk.mode = "ok"
    for _ in range(40):
        due = await bench.next_at()
        if due is None:
            break
        hands.at = max(due, hands.at)
        await bench.deliver()
    assert await statuses(bench) == [Status.DELIVERED] * 30


async def test_of_one_receiver_no_more_are_out_than_it_has_room_for(
    bench: conftest.Bench, receiver_desk: desk.Desk
) -> None:
    await bench.receiver(receiver_desk.url())
    for _ in range(60):
        await bench.job()
    couriers = [bench.couriers[0], *(bench.another_courier() for _ in range(3))]
    for one in couriers:
        one.wake()
    await receiver_desk.until(60)
    await asyncio.gather(*(one.rest() for one in couriers))
    assert receiver_desk.most_at_once <= bench.limits.in_flight
    assert len({got.event_id for got in receiver_desk.got}) == len(receiver_desk.got) == 60


async def test_what_a_dead_process_held_is_sent_by_another_and_its_late_answer_changes_nothing(
    bench: conftest.Bench, hands: conftest.TurnableClock, receiver_desk: desk.Desk
) -> None:
    await bench.receiver(receiver_desk.url())
    await bench.job()
    taken = await services.take(bench.db, bench.keyring, "prc_dead", bench.limits, 10, hands.at)
    await bench.deliver()
    assert receiver_desk.got == []
    assert await services.rescue(bench.db) == 1
    await bench.deliver()
    assert await statuses(bench) == [Status.DELIVERED]
    [ready] = taken
    tried = conftest.failed_try(ready.due, hands.at)
    late = deliveries.Outcome(ready.due, tried, deliveries.judge(ready.due, tried, conftest.RETRIES, hands.at))
    await services.tell(bench.db, "prc_dead", [late], bench.limits, hands.at)
    assert await statuses(bench) == [Status.DELIVERED]


async def test_a_claim_whose_answer_was_lost_is_given_back_by_its_own_process(
    bench: conftest.Bench, hands: conftest.TurnableClock, receiver_desk: desk.Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.receiver(receiver_desk.url())
    await bench.job()
    take = rows.take
    lost: list[deliveries.Due] = []

    async def take_and_lose(*args: object) -> list[deliveries.Due]:
        taken = await take(*args)  # type: ignore[arg-type]
        if not lost:
            lost.extend(taken)
            await engine.driver(args[0]).execute("COMMIT")  # type: ignore[arg-type]
            raise ConnectionError
        return taken

    monkeypatch.setattr(rows, "take", take_and_lose)
    bench.couriers[0].wake()
    await receiver_desk.until(1)
    await bench.couriers[0].rest()
    assert len(lost) == 1
    assert await statuses(bench) == [Status.DELIVERED]


async def test_a_jobs_own_url_that_is_gone_says_nothing_of_the_next(
    bench: conftest.Bench, hands: conftest.TurnableClock, receiver_desk: desk.Desk
) -> None:
    receiver_desk.modes["/gone"] = "410"
    origin = receiver_desk.url("")
    for path in ("/gone", "/here"):
        own = jobs.Webhook(receiver_desk.url(path), origin, ("job.queued",))
        await bench.job(own)
    await bench.deliver()
    assert await statuses(bench) == [Status.DROPPED, Status.DELIVERED]
    assert await receiver_services.list_all(bench.db, conftest.TENANT) == []


async def test_events_are_filtered_and_progress_must_be_named(
    bench: conftest.Bench, hands: conftest.TurnableClock, receiver_desk: desk.Desk
) -> None:
    kinds = events.EventType
    await bench.receiver(receiver_desk.url("/all"))
    await bench.receiver(receiver_desk.url("/some"), events=(kinds.JOB_PROGRESS, kinds.JOB_STARTED))
    await bench.receiver(receiver_desk.url("/off"), enabled=False)
    job_id = await bench.job()
    for kind in (kinds.JOB_STARTED, kinds.JOB_PROGRESS):
        await bench.happen(job_id, kind)
    await bench.deliver()
    told = sorted((got.path, got.event["type"]) for got in receiver_desk.got)
    assert told == [
        ("/all", "job.queued"),
        ("/all", "job.started"),
        ("/some", "job.progress"),
        ("/some", "job.started"),
    ]


async def test_progress_is_told_to_those_who_named_it_and_not_all_the_time(
    bench: conftest.Bench, hands: conftest.TurnableClock, receiver_desk: desk.Desk
) -> None:
    own = jobs.Webhook(receiver_desk.url(), receiver_desk.url(""), ("job.progress",))
    asked, unasked = await bench.job(own), await bench.job()
    for seconds in (0, 1, 5):
        hands.at += timedelta(seconds=seconds)
        async with bench.db.transaction() as connection:
            await event_rows.note_progress(connection, [asked, unasked], hands.at, polls.PROGRESS_PAUSE_SECONDS)
    await bench.deliver()
    assert [got.event["data"]["id"] for got in receiver_desk.good] == [asked, asked]


async def test_the_log_keeps_at_most_16_kb_of_an_answer(
    bench: conftest.Bench, hands: conftest.TurnableClock, receiver_desk: desk.Desk
) -> None:
    receiver_desk.mode = "big"
    await bench.receiver(receiver_desk.url())
    await bench.job()
    await bench.deliver()
    async with bench.db.transaction() as connection:
        [row] = (await connection.execute(sa.text("SELECT response_head, address FROM tries"))).all()
    assert (len(row.response_head), row.address) == (16 * 1024, "127.0.0.1")

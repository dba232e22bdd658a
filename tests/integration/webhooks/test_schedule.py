"""The promise of P5 with a receiver that fails in every way, on a clock that is turned."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from standardwebhooks import webhooks

from shared.db import deliveries_log, tries
from shared.domain import deliveries, events
from shared.domain import tries as domain_tries
from tests.integration.webhooks import conftest, desk

HOUR = timedelta(hours=1)


async def turn_until(bench: conftest.Bench, hands: conftest.TurnableClock, moment: datetime) -> None:
    """Turn the clock from due time to due time, sending what is due each time."""
    await bench.deliver()
    while (due := await bench.next_at()) is not None and due <= moment:
        hands.at = max(due, hands.at)
        await bench.deliver()
    hands.at = moment


async def log(bench: conftest.Bench) -> dict[str, tuple[deliveries.Delivery, list[domain_tries.Try]]]:
    """Every delivery with its tries, by event id."""
    async with bench.db.transaction() as connection:
        found = await deliveries_log.page(connection, conftest.TENANT, deliveries_log.Filter(), None, 1000)
        return {item.event_id: (item, await tries.of_delivery(connection, item.id)) for item in found}


async def test_down_for_an_hour_then_500_then_hanging_then_dripping_then_well(
    bench: conftest.Bench, hands: conftest.TurnableClock, receiver_desk: desk.Desk
) -> None:
    receiver = await bench.receiver(receiver_desk.url())
    start = hands.at
    job_id = await bench.job()
    await receiver_desk.close()
    await turn_until(bench, hands, start + HOUR / 2)
    started = await bench.happen(job_id, events.EventType.JOB_STARTED)
    await turn_until(bench, hands, start + HOUR)

    await receiver_desk.open()
    for mode, hours in (("500", 3), ("hang", 8), ("drip", 18), ("ok", 100)):
        receiver_desk.mode = mode
        await turn_until(bench, hands, start + HOUR * hours)

    logged = await log(bench)
    assert len(logged) == 2
    for delivery, made in logged.values():
        assert delivery.status is deliveries.DeliveryStatus.DELIVERED
        assert [item.number for item in made] == list(range(1, len(made) + 1))
        assert [item.good for item in made] == [False] * (len(made) - 1) + [True]
        kept_its_times(made)
    errors = [item.error or item.status_code for item in logged[started.id][1]]
    assert list(dict.fromkeys(errors)) == ["connect", 500, "timeout", 200]
    assert {got.event_id for got in receiver_desk.good} == set(logged)
    secret = await bench.secret(receiver.id)
    for got in receiver_desk.got:
        verifies(got, secret)
        assert got.body == next(g.body for g in receiver_desk.got if g.event_id == got.event_id)


def kept_its_times(made: list[domain_tries.Try]) -> None:
    """No pause shorter than promised, none longer than promised plus jitter plus the longest pause of a circuit."""
    for promised, (before, after) in zip(conftest.RETRIES, pairwise(made), strict=False):
        paused = (after.started_at - before.started_at).total_seconds()
        assert promised <= paused <= promised * (1 + deliveries.JITTER) + 61, (promised, paused)


def verifies(got: desk.Got, secret: str) -> None:
    """The official library makes the same signature of what arrived."""
    moment = datetime.fromtimestamp(int(got.headers["webhook-timestamp"]), tz=UTC)
    expected = webhooks.Webhook(secret).sign(got.event_id, moment, got.body.decode())
    assert expected in got.headers["webhook-signature"].split()


async def test_a_receiver_that_never_comes_back_has_ten_tries_in_the_log_and_a_replay(
    bench: conftest.Bench, hands: conftest.TurnableClock, receiver_desk: desk.Desk
) -> None:
    receiver_desk.mode = "500"
    receiver = await bench.receiver(receiver_desk.url())
    await bench.job()
    start = hands.at
    await turn_until(bench, hands, start + HOUR * 24 * 10)
    [(delivery, made)] = (await log(bench)).values()
    assert delivery.status is deliveries.DeliveryStatus.EXHAUSTED
    assert len(made) == 1 + len(conftest.RETRIES)
    kept_its_times(made)

    receiver_desk.mode = "ok"
    async with bench.db.transaction() as connection:
        assert await deliveries_log.replay_lost(connection, receiver.id, start, hands.at, 100) == 1
    await bench.deliver()
    [(delivery, made)] = (await log(bench)).values()
    assert delivery.status is deliveries.DeliveryStatus.DELIVERED
    assert made[-1].trigger is domain_tries.Trigger.REPLAY
    assert len({got.event_id for got in receiver_desk.got}) == 1

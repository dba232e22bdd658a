"""What a courier does at the same time, and what it leaves behind."""

import asyncio

import pytest

from shared import clock
from shared.db import deliveries as rows
from shared.db import engine
from shared.db import tries as try_rows
from shared.domain import deliveries
from shared.services import deliveries as services
from tests.integration.webhooks import conftest, desk


async def test_posts_go_out_while_others_are_written_down(
    bench: conftest.Bench, receiver_desk: desk.Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, begun, may_end = try_rows.write, asyncio.Event(), asyncio.Event()

    async def write_slowly(*args: object) -> list[deliveries.Outcome]:
        begun.set()
        await may_end.wait()
        return await write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(try_rows, "write", write_slowly)
    await bench.receiver(receiver_desk.url())
    await bench.job()
    bench.couriers[0].wake()
    async with asyncio.timeout(desk.WAIT_SECONDS):
        await begun.wait()
    await bench.job()
    bench.couriers[0].wake()
    await receiver_desk.until(2)
    may_end.set()
    await bench.couriers[0].rest()
    assert len({got.event_id for got in receiver_desk.got}) == len(receiver_desk.got) == 2


async def test_a_courier_that_is_closed_gives_back_what_it_did_not_send(
    bench: conftest.Bench, receiver_desk: desk.Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.receiver(receiver_desk.url())
    await bench.job()
    take, taken = rows.take, asyncio.Event()

    async def take_and_lose(*args: object) -> list[deliveries.Due]:
        assert await take(*args)  # type: ignore[arg-type]
        await engine.driver(args[0]).execute("COMMIT")  # type: ignore[arg-type]
        taken.set()
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(rows, "take", take_and_lose)
        bench.couriers[0].wake()
        async with asyncio.timeout(desk.WAIT_SECONDS):
            await taken.wait()
        await bench.couriers[0].close()
    bench.another_courier().wake()
    await receiver_desk.until(1)
    assert len(receiver_desk.got) == 1


async def test_a_delivery_that_is_claimed_twice_by_one_process_stops_nobody(
    bench: conftest.Bench, receiver_desk: desk.Desk
) -> None:
    """A sweep took it for dead and gave it back; before it wrote down the first post, it had claimed it anew."""
    await bench.receiver(receiver_desk.url())
    await bench.job()
    outcomes, now = list[deliveries.Outcome](), clock.now()
    for _ in range(2):
        [ready] = await services.take(bench.db, bench.keyring, "prc_test", bench.limits, 10, now)
        tried = conftest.failed_try(ready.due, now)
        verdict = deliveries.judge(ready.due, tried, conftest.RETRIES, now)
        outcomes.append(deliveries.Outcome(ready.due, tried, verdict))
        if len(outcomes) == 1:
            assert await services.release_strays(bench.db, "prc_test", []) == 1
    await services.tell(bench.db, "prc_test", outcomes, bench.limits, now)
    async with bench.db.transaction() as connection:
        assert len(await try_rows.of_delivery(connection, outcomes[0].due.delivery.id)) == 1


async def test_a_courier_survives_that_its_deliveries_were_given_back_while_they_are_out(
    bench: conftest.Bench, receiver_desk: desk.Desk
) -> None:
    receiver_desk.mode = "hang"
    await bench.receiver(receiver_desk.url())
    await bench.job()
    one = bench.another_courier(seconds=desk.WAIT_SECONDS)
    for _ in range(2):
        hangs = asyncio.create_task(receiver_desk.until_one_hangs())
        await asyncio.sleep(0)
        one.wake()
        await hangs
        assert await services.release_strays(bench.db, one._owner, []) == 1  # noqa: SLF001 - as a sweep would
    assert one.held == 2
    await receiver_desk.close()
    await one.rest()
    assert one.held == 0

"""Dead receivers never delay the others. The full size is benchmarks/deliveries.py."""

import time

import sqlalchemy as sa

from tests.integration.webhooks import conftest, desk

RECEIVERS = 12
DEAD = 2
EVENTS = 25


async def seconds_for(bench: conftest.Bench, desk_: desk.Desk, dead: int) -> float:
    """How long the living take to get everything, beside so many that accept and never answer."""
    async with bench.db.transaction() as connection:
        await connection.execute(sa.text("TRUNCATE events, receivers, deliveries, tries CASCADE"))
    desk_.got.clear()
    desk_.modes = {f"/{number}": "hang" for number in range(dead)}
    for number in range(RECEIVERS - DEAD + dead):
        await bench.receiver(desk_.url(f"/{number}"))
    for _ in range(EVENTS):
        await bench.job()
    courier = bench.another_courier(seconds=20)
    began = time.perf_counter()
    courier.wake()
    await desk_.until(EVENTS * (RECEIVERS - DEAD))
    seconds = time.perf_counter() - began
    # Else it would help the next one, and two that meet at a receiver rely on the relay, which is not here.
    await courier.close()
    return seconds


async def test_the_living_get_everything_while_the_dead_hang(bench: conftest.Bench, receiver_desk: desk.Desk) -> None:
    alone = await seconds_for(bench, receiver_desk, 0)
    beside = await seconds_for(bench, receiver_desk, DEAD)
    # Twice is promised. A dead receiver that held others up would cost its 20 s of waiting, however fast the machine.
    assert beside <= 2 * alone + 5
    waiting = [got for got in receiver_desk.got if got.mode == "hang"]
    assert 0 < len(waiting) <= DEAD * bench.limits.in_flight


async def test_what_the_dead_did_not_get_is_still_theirs(bench: conftest.Bench, receiver_desk: desk.Desk) -> None:
    await seconds_for(bench, receiver_desk, DEAD)
    async with bench.db.transaction() as connection:
        found = await connection.execute(sa.text("SELECT status, count(*) FROM deliveries GROUP BY 1 ORDER BY 1"))
        assert [tuple(row) for row in found] == [
            ("delivered", EVENTS * (RECEIVERS - DEAD)),
            ("pending", EVENTS * DEAD),
        ]

"""Every failpoint on the way of a single job kills a process once: all jobs end right, none is paid twice."""

import time
from pathlib import Path

import pytest

from shared import failpoints
from tests.chaos import checker, customer, history, load, proxy, rig

DEADLINE_SECONDS = 60
MODELS = (
    *(("text", "sandbox/text"), ("text", "sandbox/text-searchable"), ("text", "sandbox/text-plain")),
    *(("image", "sandbox/image-async"), ("text", "sandbox/text-async-instant")),
)


def orders(point: failpoints.Failpoint) -> list[load.Order]:
    """One job of every class, due at once."""
    first = 100 * list(failpoints.Failpoint).index(point)
    return [
        load.Order(first + place, 0.0, kind, {"model": model, "prompt": point, **load.BASIC[kind]}, f"{point}-{place}")
        for place, (kind, model) in enumerate(MODELS)
    ]


async def kill_at(point: failpoints.Failpoint, killed: rig.Rig, buyer: customer.Customer) -> None:
    """Send jobs and wait until a process has died at this point; the supervisor starts it again."""
    killed.arm(point)
    await buyer.buy(orders(point))
    until = time.monotonic() + DEADLINE_SECONDS
    while not killed.has_fired(point):
        assert time.monotonic() < until, f"nobody came to {point}"
        await proxy.pause(0.05)


@pytest.mark.timeout(240)
async def test_a_death_at_any_point_loses_nothing_and_pays_nothing_twice(tmp_path: Path) -> None:
    async with rig.Rig(folder=tmp_path, seed=0, workers=3) as killed:
        buyer = customer.Customer(killed.running.base_url, killed.running.admin_key, customer.Book())
        async with buyer.watching():
            for point in rig.POINTS:
                await kill_at(point, killed, buyer)
        await buyer.settle(DEADLINE_SECONDS)
        story = await history.gather(killed, buyer)
        await buyer.close()
    verdict = checker.check(story)
    assert verdict.jobs == len(MODELS) * len(rig.POINTS)
    assert verdict.breaches == []
    unfinished = [job["id"] for job in story.book.last.values() if job["status"] != "completed"]
    assert unfinished == [], "a death of ours is no reason to fail a job whose provider is healthy"

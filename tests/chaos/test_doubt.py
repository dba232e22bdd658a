"""A way to pay twice, once on purpose: the repeat of an ask meets a provider that is away."""

import time
from collections.abc import AsyncIterator

import pytest

from tests.chaos import checker, customer, history, load, proxy, rig

DEADLINE_SECONDS = 60


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[rig.Rig]:
    async with rig.Rig(folder=tmp_path_factory.mktemp("doubt"), seed=0, workers=2) as made:
        yield made


async def asks_of(running: rig.Rig, job_id: str) -> list[history.Ask]:
    record = await history.record(running.running.env["GENQUEUE_SANDBOX_URL"])
    return [ask for ask in record if ask.job_id == job_id]


async def ordered(running: rig.Rig, model: str) -> tuple[customer.Customer, str]:
    buyer = customer.Customer(running.running.base_url, running.running.admin_key, customer.Book())
    body: load.Json = {"model": model, "prompt": "doubt", "max_tokens": 20, "on_doubt": "fail"}
    await buyer.buy([load.Order(0, 0.0, "text", body, f"doubt-{model}")])
    return buyer, next(iter(buyer.book.orders))


async def until_asked(running: rig.Rig, job_id: str) -> None:
    until = time.monotonic() + DEADLINE_SECONDS
    while not await asks_of(running, job_id):
        assert time.monotonic() < until
        await proxy.pause(0.02)


async def finished(running: rig.Rig, buyer: customer.Customer, job_id: str) -> load.Json:
    await running.heal()
    await buyer.settle(DEADLINE_SECONDS)
    story = await history.gather(running, buyer)
    await buyer.close()
    # Jobs of the other test are not this customer's.
    story.known_to_api, story.asks = [job_id], [ask for ask in story.asks if ask.job_id == job_id]
    assert checker.check(story).breaches == []
    return story.book.last[job_id]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("toxin", [proxy.Toxin.DOWN, proxy.Toxin.ERROR])
async def test_no_to_a_repeat_is_not_no_to_the_first(running: rig.Rig, toxin: proxy.Toxin) -> None:
    """Class K: the first answer is cut, the provider is away for the first repeats, and then back."""
    model = "sandbox/text-cut" if toxin is proxy.Toxin.DOWN else "sandbox/text-async-cut"
    buyer, job_id = await ordered(running, model)
    await until_asked(running, job_id)
    running.lines["provider"].poison(proxy.Toxic(toxin))
    await proxy.pause(2.5)  # the repeats come after 1 s and 2 s more
    job = await finished(running, buyer, job_id)
    assert [attempt["status"] for attempt in job["attempts"]] == ["succeeded"]
    assert len([ask for ask in await asks_of(running, job_id) if ask.bought]) == 1

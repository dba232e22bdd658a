"""What is measured of endpoints, and what is known of their keys."""

import asyncio

import structlog

from shared import clock
from shared.domain import endpoints, faults, states
from shared.services import endpoints as watching
from tests.integration.endpoints import conftest

FAILED = {"status": states.AttemptStatus.FAILED, "fault": faults.FaultKind.UNAVAILABLE}


def watch(bench: conftest.Bench, keys: dict[str, list[str]] | None = None) -> watching.Watch:
    return watching.Watch(bench.db, keys or {}, lambda: None)


async def test_recent_attempts_are_summed_up(bench: conftest.Bench) -> None:
    await bench.past([float(age) for age in range(1, 20)], seconds=4.0, usage={"output_tokens": 40})
    await bench.past([2.5], seconds=44.0)
    await bench.past([90.0, 100.0], **FAILED)
    await bench.past([1.0], status=states.AttemptStatus.REFUSED, fault=faults.FaultKind.INVALID_INPUT)
    await bench.past([1000.0, 2000.0], **FAILED)
    await bench.past([1.0], provider="other", finished_at=None, status=states.AttemptStatus.ACCEPTED)
    snapshot = await watch(bench).refresh()
    found = snapshot.of("a/one@acme")
    assert (found.succeeded, found.failed, found.breaker) == (20, 2, "closed")
    assert (found.p50_seconds, found.last_fault, found.in_flight) == (4.0, "unavailable", 0)
    assert found.p95_seconds is not None
    assert 4 < found.p95_seconds < 44
    assert found.tokens_per_second == 10.0
    assert snapshot.of("a/one@other").in_flight == 1
    assert snapshot.of("a/one@unheard-of") == endpoints.UNKNOWN


async def test_breakers_follow_the_last_minute(bench: conftest.Bench) -> None:
    await bench.past([30.0, 31.0], provider="shut")
    await bench.past([1.0, 2.0, 3.0, 4.0, 5.0], provider="shut", **FAILED)
    await bench.past([20.0, 21.0, 22.0, 23.0, 24.0], provider="half", **FAILED)
    await bench.past([20.0, 21.0, 22.0, 23.0, 24.0], provider="back", **FAILED)
    await bench.past([1.0], provider="back", seconds=1.0)
    await bench.past([1.0, 2.0], provider="fine", **FAILED)
    with structlog.testing.capture_logs() as lines:
        found = (await watch(bench).refresh()).health
    breakers = {name.partition("@")[2]: health.breaker.value for name, health in found.items()}
    assert breakers == {"shut": "open", "half": "half_open", "back": "closed", "fine": "closed"}
    assert {line["endpoint"] for line in lines if line["event"] == "breaker"} == {"a/one@shut", "a/one@half"}


async def test_an_ask_that_was_never_settled_does_not_keep_its_place_for_ever(bench: conftest.Bench) -> None:
    await bench.past([100.0, 700.0], finished_at=None, status=states.AttemptStatus.SENT)
    assert (await watch(bench).refresh()).of("a/one@acme").in_flight == 1


async def test_a_rejected_key_is_out_everywhere_until_it_is_changed(bench: conftest.Bench) -> None:
    here = watch(bench, {"acme": ["bad", "good"]})
    rejected = faults.Fault(faults.FaultKind.AUTH, "no")
    hold = here.hold_of(rejected, "a/one@acme", 0, clock.now())
    assert hold is not None
    with structlog.testing.capture_logs() as lines:
        await here.hold(hold)
    assert [line for line in lines if line["log_level"] == "error" and line["event"] == "key_rejected"]
    assert here.current.credentials_of("acme") == (1,)
    elsewhere = watch(bench, {"acme": ["bad", "good"]})
    assert (await elsewhere.refresh()).credentials_of("acme") == (1,)
    assert elsewhere.current.holds_of("a/one@acme", "acme")[0].reason == "auth"
    mended = watch(bench, {"acme": ["new", "good"]})
    assert (await mended.refresh()).credentials_of("acme") == (0, 1)
    await watching.wish_reload(bench.db, clock.now())
    assert (await elsewhere.refresh()).credentials_of("acme") == (0, 1)


async def test_faults_that_say_nothing_about_the_endpoint_hold_nobody(bench: conftest.Bench) -> None:
    holding = {"auth", "out_of_credit"}
    for kind in faults.FaultKind:
        hold = watch(bench).hold_of(faults.Fault(kind, "no"), "a/one@acme", 0, clock.now())
        assert (hold is not None) == (kind in holding)


async def test_a_wish_to_reload_reaches_every_process_once(bench: conftest.Bench) -> None:
    reloads: list[str] = []
    watches = [watching.Watch(bench.db, {}, lambda name=name: reloads.append(name)) for name in "ab"]  # type: ignore[misc]
    for each in watches:
        await each.refresh()
    await watching.wish_reload(bench.db, clock.now())
    for each in (*watches, *watches):
        await each.refresh()
    assert sorted(reloads) == ["a", "b"]


async def test_a_watch_that_is_closed_is_over_even_if_the_driver_loses_the_cancellation(bench: conftest.Bench) -> None:
    begun = asyncio.Event()

    class Losing(watching.Watch):
        async def refresh(self) -> endpoints.Snapshot:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ConnectionError("as asyncpg may say") from None
            raise AssertionError("unreachable")

    losing = Losing(bench.db, {}, lambda: None)
    losing.start()
    [task] = [task for task in asyncio.all_tasks() if task.get_name() == "endpoints"]
    async with asyncio.timeout(10):
        await begun.wait()
        await losing.close()
        await asyncio.wait({task})
    assert task.done()

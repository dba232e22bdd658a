"""Rows obey the limits of endpoints and keys as single jobs do: beyond them they wait, and never fail."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import yaml
from redis import asyncio as redis

from shared import clock, settings
from shared.db import engine, schema
from shared.domain import capacity, keys
from shared.providers import base, measured
from shared.services import capacity as capacity_services
from shared.services import due, slice_turns
from shared.services import keys as key_services
from shared.services import slices as slice_services
from shared.storage import objects as storage
from tests.integration.batches import conftest
from workers import context
from workers.steps import batch_rows as row_steps
from workers.steps import slices

TEXT = {"model": "sandbox/text-instant", "template": "About {{name}}"}
NOBODY_LISTENS = "redis://127.0.0.1:1/0"
ENDPOINT = "sandbox/text-instant@sandbox"


def names(count: int) -> str:
    return "name\n" + "".join(f"row {number}\n" for number in range(count))


@pytest.fixture
def limits() -> dict[str, Any]:
    """What the only endpoint of the model may be asked."""
    return {"concurrency": 3, "requests_per_minute": 6000}


@pytest.fixture
def provider() -> str:
    """Whose the only endpoint of the model is."""
    return "sandbox"


@pytest.fixture
def narrow(
    batch_settings: settings.Settings, tmp_path: Path, limits: dict[str, Any], provider: str
) -> settings.Settings:
    """The shipped catalog with these limits for texts."""
    folder = tmp_path / "catalog"
    folder.mkdir()
    for source in Path(batch_settings.catalog_path or settings.SHIPPED_CATALOG).glob("*.yaml"):
        read = yaml.safe_load(source.read_text())
        for model in read.get("models", []):
            for endpoint in model["endpoints"] if model["id"] == "sandbox/text-instant" else []:
                endpoint |= {"limits": limits, "provider": provider}
        (folder / source.name).write_text(yaml.safe_dump(read))
    return batch_settings.model_copy(update={"catalog_path": folder})


@pytest.fixture
async def server(redis_url: str) -> AsyncIterator[redis.Redis]:
    async with redis.Redis.from_url(redis_url) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def worker(
    database: engine.Database, objects: storage.Objects, narrow: settings.Settings, server: redis.Redis
) -> AsyncIterator[context.Context]:
    async with conftest.working(narrow) as opened:
        yield opened


class Watcher:
    """Counts what is in the air at the provider."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = self.most = self.all = 0
        original = measured.MeasuredAdapter.submit

        async def counted(adapter: measured.MeasuredAdapter, ask: base.Ask) -> base.SubmitOutcome:
            self.now += 1
            self.all += 1
            self.most = max(self.most, self.now)
            try:
                return await original(adapter, ask)
            finally:
                self.now -= 1

        monkeypatch.setattr(measured.MeasuredAdapter, "submit", counted)


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch) -> Watcher:
    return Watcher(monkeypatch)


async def test_no_more_rows_are_in_the_air_than_the_endpoint_takes(
    send: conftest.Send, drive: conftest.Drive, watcher: Watcher, server: redis.Redis
) -> None:
    batch = (await send(names(40), **TEXT)).json()
    assert (await drive(batch["id"]))["counts"]["completed"] == 40
    assert (watcher.most, watcher.all) == (3, 40)
    assert await server.hgetall(f"genqueue:capacity:{ENDPOINT}#0:rows") == {}


async def test_single_jobs_and_rows_share_the_places(
    send: conftest.Send, drive: conftest.Drive, worker: context.Context, watcher: Watcher, redis_url: str
) -> None:
    single = capacity_services.Capacity(worker.db, redis_url)
    try:
        for number in range(2):
            await single.take(capacity.Demand("sandbox/text-instant", "sandbox", f"job-{number}", (0,), 3, 6000))
        batch = (await send(names(12), **TEXT)).json()
        assert (await drive(batch["id"]))["counts"]["completed"] == 12
        assert watcher.most == 1
        taken = await single.take_rows(
            capacity.Demand("sandbox/text-instant", "sandbox", "slice-x", (0,), 3, 6000), {}, 9
        )
        assert taken.credentials == (0,)
        with pytest.raises(capacity.FullError):
            await single.take(capacity.Demand("sandbox/text-instant", "sandbox", "job-9", (0,), 3, 6000))
    finally:
        await single.close()


class TestOfRowsThatWait:
    @pytest.fixture
    def limits(self) -> dict[str, Any]:
        return {"concurrency": 50, "requests_per_minute": 60000}

    @pytest.fixture
    def in_hand(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """How many rows the slice has in hand after each of its turns."""
        counted: list[int] = []
        turn = slice_turns.turn

        async def noted(*arguments: Any) -> slice_turns.Taken:
            held, taken = arguments[-1], await turn(*arguments)
            counted.append(held.in_the_air + held.waiting + len(taken.asks))
            return taken

        monkeypatch.setattr(slice_turns, "turn", noted)
        return counted

    async def test_a_batch_whose_slice_is_full_is_rung_for_no_more(
        self,
        send: conftest.Send,
        drive: conftest.Drive,
        worker: context.Context,
        api: httpx.AsyncClient,
        pass_deadline: Callable[[str], Awaitable[None]],
    ) -> None:
        batch = (await send(names(200), **TEXT, max_concurrency="5", dry_run="true")).json()
        await drive(batch["id"], "ready")
        await api.post(f"/v1/batches/{batch['id']}/start")
        supply = row_steps.supply(worker, 5)
        here = await slice_services.begin(worker.db, batch["id"], worker.process_id, supply)
        assert here is not None

        async def rung(seconds: float) -> list[tuple[str, int]]:
            return await due.take_slices(worker.db, clock.now() + timedelta(seconds=seconds), 4, 40)

        assert await rung(1) == [(batch["id"], 1)]
        taken = await slice_turns.turn(worker.db, here, [], supply, clock.now(), slice_turns.InHand())
        assert len(taken.asks) == 5
        assert await rung(3) == []
        await slice_turns.turn(worker.db, here, [], replace(supply, room=0), clock.now(), slice_turns.InHand(2))
        assert await rung(5) == [(batch["id"], 1)]
        await slice_turns.turn(worker.db, here, [], supply, clock.now(), slice_turns.InHand(2))
        assert await rung(7) == []
        await pass_deadline(batch["id"])
        assert await rung(9) == [(batch["id"], 1)]
        await slice_services.end(worker.db, here.number, here.batch, clock.now())

    async def test_they_are_in_hand_and_not_in_the_air(
        self, send: conftest.Send, drive: conftest.Drive, watcher: Watcher, in_hand: list[int]
    ) -> None:
        batch = (await send(names(200), **TEXT, max_concurrency="5")).json()
        assert (await drive(batch["id"]))["counts"]["completed"] == 200
        assert (watcher.most, watcher.all) == (5, 200)
        assert max(in_hand) > 5

    async def test_they_leave_others_half_of_the_places(
        self, send: conftest.Send, drive: conftest.Drive, server: redis.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept: list[int] = []
        turn = slice_turns.turn

        async def noted(*arguments: Any) -> slice_turns.Taken:
            counted = cast("dict[bytes, bytes]", await server.hgetall(f"genqueue:capacity:{ENDPOINT}#0:rows"))
            kept.extend(int(each.decode().partition("|")[0]) for each in counted.values())
            return await turn(*arguments)

        monkeypatch.setattr(slice_turns, "turn", noted)
        batch = (await send(names(400), **TEXT, max_concurrency="20")).json()
        assert (await drive(batch["id"]))["counts"]["completed"] == 400
        assert 20 < max(kept) <= 25

    @pytest.mark.parametrize("provider", ["sandbox-searchable", "sandbox-plain"])
    async def test_none_waits_for_a_provider_that_takes_no_key(
        self, send: conftest.Send, drive: conftest.Drive, in_hand: list[int]
    ) -> None:
        # Whoever waits is written down as sent: left behind by a crash, it would be in doubt without having been asked.
        batch = (await send(names(60), **TEXT, max_concurrency="5")).json()
        assert (await drive(batch["id"]))["counts"]["completed"] == 60
        assert max(in_hand) <= 5


class TestOfSlices:
    @pytest.fixture
    def limits(self) -> dict[str, Any]:
        return {"concurrency": 1000, "requests_per_minute": 600_000}

    async def test_no_more_rows_are_in_the_air_than_a_slice_takes(
        self, send: conftest.Send, drive: conftest.Drive, watcher: Watcher
    ) -> None:
        batch = (await send(names(600), **TEXT)).json()
        assert (await drive(batch["id"]))["counts"]["completed"] == 600
        assert (watcher.most, watcher.all) == (conftest.SMALL["slice_rows"], 600)


class TestOfRates:
    @pytest.fixture
    def limits(self) -> dict[str, Any]:
        return {"concurrency": 50, "requests_per_minute": 7}

    @pytest.fixture(params=["with Redis", "without Redis"])
    def narrow(self, narrow: settings.Settings, request: pytest.FixtureRequest) -> settings.Settings:
        away = {"redis_url": settings.Settings.model_validate({"redis_url": NOBODY_LISTENS}).redis_url}
        return narrow if request.param == "with Redis" else narrow.model_copy(update=away)

    async def test_rows_beyond_the_rate_wait_as_they_are(
        self, send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient, worker: context.Context
    ) -> None:
        batch = (await send(names(20), **TEXT)).json()
        await drive(batch["id"], "in_progress")
        for _ in range(4):
            await slices.run(worker, batch["id"])
        counts = (await api.get(f"/v1/batches/{batch['id']}")).json()["counts"]
        assert (counts["completed"], counts["queued"], counts["failed"]) == (7, 13, 0)

    async def test_rows_of_other_models_go_ahead(
        self, send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient, worker: context.Context
    ) -> None:
        rows = "".join(f"p{number},sandbox/text-instant\n" for number in range(60)) + "last,sandbox/text\n" * 3
        batch = (await send(f"prompt,model\n{rows}")).json()
        await drive(batch["id"], "in_progress")
        for _ in range(5):
            await slices.run(worker, batch["id"])
        results = (await api.get(f"/v1/batches/{batch['id']}/results?format=jsonl&status=completed")).text.splitlines()
        assert Counter('"model":"sandbox/text"' in line for line in results) == {False: 7, True: 3}


async def test_a_key_has_no_more_rows_in_the_air_than_it_may(
    api: httpx.AsyncClient, send: conftest.Send, drive: conftest.Drive, database: engine.Database, watcher: Watcher
) -> None:
    limited = keys.Limits(max_in_flight=2)
    new = key_services.NewKey(schema.DEFAULT_TENANT, "A test's", keys.Mode.LIVE, frozenset(keys.Scope), limited)
    api.headers["Authorization"] = f"Bearer {(await key_services.create(database, new, clock.now())).secret}"
    batch = (await send(names(10), **TEXT)).json()
    assert (await drive(batch["id"]))["counts"]["completed"] == 10
    assert watcher.most == 2

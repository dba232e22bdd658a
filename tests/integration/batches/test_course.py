"""What is told while a batch runs; and what is left of it long after."""

import itertools
import json
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

from shared import clock
from shared.db import engine, schema
from shared.db.tables import batch_rows
from shared.domain import batches
from shared.queues import live
from shared.services import erasures
from shared.storage import objects as storage
from tests.integration.batches import conftest
from workers import context
from workers.steps import slices

TEXT = {"model": "sandbox/text", "template": "About {{name}}"}
DAY = 86400


def names(count: int) -> str:
    return "name\n" + "".join(f"row {number}\n" for number in range(count))


async def progress(api: httpx.AsyncClient, batch_id: str) -> list[conftest.Json]:
    lines = (await api.get(f"/v1/batches/{batch_id}/events")).text.splitlines()
    told = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    return [event["data"] for event in told if event["type"] == "batch.progress"]


async def test_progress_is_told_in_steps_and_not_more_often_than_is_useful(
    send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = (await send(names(100), **TEXT)).json()
    await drive(quiet["id"])
    assert await progress(api, quiet["id"]) == []
    monkeypatch.setattr(batches, "LEAST_TIME", timedelta(0))
    told = (await send(names(100), **TEXT, max_concurrency="2")).json()
    await drive(told["id"])
    found = await progress(api, told["id"])
    percents = [data["percent"] for data in found]
    assert 5 <= len(found) <= 19
    assert percents == sorted(set(percents))
    assert all(later - sooner >= 5 for sooner, later in itertools.pairwise(percents))
    assert all(sum(data["counts"].values()) == 100 for data in found)
    assert {data["status"] for data in found} == {"in_progress"}


async def test_whoever_follows_a_batch_hears_of_it(
    send: conftest.Send, drive: conftest.Drive, worker: context.Context, redis_url: str
) -> None:
    batch = (await send(names(3), **TEXT)).json()
    changes = live.Changes(redis_url)
    changes.start()
    try:
        while not await changes.wait("nobody", 0.1) and not changes.hearing:
            pass
        with changes.listening(batch["id"]) as ear:
            await slices.run(worker, batch["id"])
            assert await ear.wait(10)
    finally:
        await changes.close()
    await drive(batch["id"])


async def erase(worker: context.Context, days: float) -> None:
    """What the relay does until nothing is left to do, `days` from now."""
    now = clock.now() + timedelta(days=days)
    while await erasures.run(worker.db, worker.store, DAY, now):
        pass


async def rows_of(database: engine.Database) -> int:
    async with database.transaction() as connection:
        counted = await connection.execute(sa.select(sa.func.count()).select_from(batch_rows.batch_rows))
        return counted.scalar_one()


async def test_an_old_batch_is_served_from_its_files(
    send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient, worker: context.Context
) -> None:
    batch = (await send(names(3) + "ragged,row\n", **TEXT)).json()
    ended = await drive(batch["id"])
    url = f"/v1/batches/{batch['id']}"
    wanted = ("results", "results?format=jsonl", "results?errors_only=true")
    before = {path: (await api.get(f"{url}/{path}")).text for path in wanted}
    job_id = json.loads(before["results?format=jsonl"].splitlines()[0])["job_id"]
    await erase(worker, 0.5)
    assert await rows_of(worker.db) == 4
    await erase(worker, 2)
    assert await rows_of(worker.db) == 0
    assert {path: (await api.get(f"{url}/{path}")).text for path in wanted} == before
    found = (await api.get(url)).json()
    assert (found["counts"], found["cost_micros"]) == (ended["counts"], ended["cost_micros"])
    assert found["erased_at"] is not None
    for path in ("results?format=parquet", "results?status=completed", "results?safe_csv=false", "errors", "report"):
        gone = await api.get(f"{url}/{path}")
        assert (gone.status_code, gone.json()["error"]["code"]) == (410, "gone"), path
        assert "results.csv" in gone.json()["error"]["details"]["files"]
    for action in ("retry", "clone"):
        assert (await api.post(f"{url}/{action}", json={})).status_code == 410
    assert (await api.get(f"/v1/jobs/{job_id}")).status_code == 404


async def test_an_input_is_kept_while_a_clone_needs_it(
    send: conftest.Send,
    drive: conftest.Drive,
    api: httpx.AsyncClient,
    worker: context.Context,
    objects: storage.Objects,
) -> None:
    batch = (await send(names(2), **TEXT)).json()
    await drive(batch["id"])
    clone = (await api.post(f"/v1/batches/{batch['id']}/clone", json={"dry_run": True})).json()
    key = f"{batches.folder(schema.DEFAULT_TENANT, batch['id'])}/{batches.INPUT_NAME}"
    await erase(worker, 2)
    assert (await objects.head(key)).size_bytes > 0
    await drive(clone["id"], "ready")
    await api.post(f"/v1/batches/{clone['id']}/start")
    assert (await drive(clone["id"]))["counts"]["completed"] == 2
    await erase(worker, 4)
    with pytest.raises(Exception, match=r"404|NoSuchKey"):
        await objects.head(key)

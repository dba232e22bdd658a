"""Who is asked, in which order and how many at once, over two workers and the real wire."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli import client
from cli.stack import stack
from tests.e2e import conftest

# An asynchronous image takes the sandbox half a second; whatever was asked within less of each other ran together.
WORK_SECONDS = 0.45
PROMPT = {"prompt": "a heron", "deadline_seconds": 90}


@pytest.fixture(scope="module")
async def routed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[stack.Stack]:
    folder = tmp_path_factory.mktemp("routed")
    (folder / "catalog").mkdir()
    shutil.copy(Path(__file__).parent / "routed.yaml", folder / "catalog")
    keys = {"locked": ["wrong-1", "wrong-2"], "half-locked": ["wrong-3", "sandbox-good"]}
    settings = {
        "GENQUEUE_CATALOG_PATH": str(folder / "catalog"),
        "GENQUEUE_PROVIDER_KEYS": json.dumps(keys),
        "GENQUEUE_CALLBACKS": "always",
    }
    async with stack.Stack(
        data_dir=folder / "data", workers=2, usual_ports=False, temporary=True, environ=settings
    ) as local:
        yield local


@pytest.fixture(scope="module")
async def caller(routed: stack.Stack) -> AsyncIterator[client.Client]:
    async with client.Client(routed.base_url, routed.admin_key) as opened:
        yield opened


async def ended(caller: client.Client, model: str, **fields: Any) -> client.Json:
    receipt = await caller.submit("image", {"model": model, **PROMPT, **fields})
    return await conftest.end_of(caller, receipt["id"])


async def read(routed: stack.Stack, path: str) -> client.Json:
    key = {"Authorization": f"Bearer {routed.admin_key}"}
    async with httpx.AsyncClient(base_url=routed.base_url, headers=key) as plain:
        found: client.Json = (await plain.get(path)).json()
        return found


async def asks(routed: stack.Stack, jobs: list[client.Json]) -> list[client.Json]:
    """What the sandbox was asked for these jobs, in the order of asking."""
    async with httpx.AsyncClient(base_url=routed.env["GENQUEUE_SANDBOX_URL"]) as plain:
        lines = (await plain.get("/record")).text.splitlines()
    ids = {job["id"] for job in jobs}
    return [ask for ask in map(json.loads, lines) if ask["reference"].partition(".")[0] in ids]


def crowd(record: list[client.Json]) -> int:
    """The most asks that ran at the same time."""
    times = [datetime.fromisoformat(ask["time"]).timestamp() for ask in record]
    return max(sum(1 for other in times if start <= other < start + WORK_SECONDS) for start in times)


def test_a_crowd_is_seen() -> None:
    times = ["2026-11-22T12:00:00.0Z", "2026-11-22T12:00:00.4Z", "2026-11-22T12:00:00.5Z", "2026-11-22T12:00:09Z"]
    assert crowd([{"time": each} for each in times]) == 2


def told(job: client.Json) -> list[tuple[str, str, str, str | None]]:
    return [(each["model"], each["provider"], each["status"], each["fault"]) for each in job["attempts"]]


async def test_three_models_of_which_two_are_broken_in_different_ways(
    routed: stack.Stack, caller: client.Client
) -> None:
    job = await ended(caller, "t/unavailable", models=["t/failing", "t/healthy"])
    assert (job["status"], job["served_model"]) == ("completed", "t/healthy"), job
    assert told(job) == [
        ("t/unavailable", "sandbox", "refused", "unavailable"),
        ("t/failing", "sandbox", "failed", "unavailable"),
        ("t/healthy", "sandbox", "succeeded", None),
    ]
    route = (await read(routed, f"/v1/jobs/{job['id']}?expand=route"))["route"]
    assert [(each["attempt"], each["endpoint"]) for each in route] == [
        (1, "t/unavailable@sandbox"),
        (2, "t/failing@sandbox"),
        (3, "t/healthy@sandbox"),
    ]
    assert [len(each["candidates"]) for each in route] == [3, 3, 3]


async def test_limits_hold_over_two_workers_and_waiting_burns_no_attempt(
    routed: stack.Stack, caller: client.Client
) -> None:
    jobs = await asyncio.gather(*(ended(caller, "t/narrow") for _ in range(8)))
    assert {job["status"] for job in jobs} == {"completed"}
    assert [len(job["attempts"]) for job in jobs] == [1] * 8
    record = await asks(routed, jobs)
    assert len(record) == 8
    assert crowd(record) <= 2


async def test_a_rejected_key_is_tried_once_and_jobs_go_elsewhere(routed: stack.Stack, caller: client.Client) -> None:
    first = await ended(caller, "t/half-locked")
    assert told(first) == [
        ("t/half-locked", "half-locked", "refused", "auth"),
        ("t/half-locked", "half-locked", "succeeded", None),
    ]
    order = {"provider": {"order": ["locked"]}}
    second = await ended(caller, "t/locked", **order)
    assert [(item[1], item[3]) for item in told(second)] == [("locked", "auth"), ("locked", "auth"), ("sandbox", None)]
    held = (await read(routed, "/v1/models/t/locked/endpoints"))["endpoints"][0]
    assert held["provider"] == "locked"
    # The API's own snapshot is at most a few seconds old; both workers know by now.
    async with asyncio.timeout(conftest.FINISH_SECONDS):
        while not held["held"]:
            held = (await read(routed, "/v1/models/t/locked/endpoints"))["endpoints"][0]
    assert ({hold["reason"] for hold in held["held"]}, held["available"]) == ({"auth"}, False)
    later = await asyncio.gather(*(ended(caller, "t/locked", **order) for _ in range(4)))
    tried = [item for job in later for item in told(job) if item[1] == "locked"]
    assert tried == []


async def test_a_callback_is_heard(caller: client.Client) -> None:
    """The model says that it takes an hour: without the call the first poll would come after fifteen seconds."""
    job = await ended(caller, "t/called")
    assert job["status"] == "completed"
    begun, over = (datetime.fromisoformat(job[name]) for name in ("started_at", "finished_at"))
    assert (over - begun).total_seconds() < 10


def hang_up(routed: stack.Stack) -> None:
    for name, pid in routed.pids.items():
        if name.partition("-")[0] in {"api", "relay", "worker"}:
            os.kill(pid, signal.SIGHUP)


async def heard(routed: stack.Stack, word: str, names: tuple[str, ...]) -> None:
    """Until the logs of these processes say so."""
    logs = [Path(routed.folder.logs) / f"{name}.log" for name in names]
    async with asyncio.timeout(conftest.FINISH_SECONDS):
        while not all(word in log.read_text() for log in logs):  # noqa: ASYNC110 - logs are all they say
            await asyncio.sleep(0)


async def test_a_hangup_reloads_the_catalog_and_a_bad_one_changes_nothing(
    routed: stack.Stack, caller: client.Client
) -> None:
    readers = ("api", "worker-1", "worker-2")
    before, extra = routed.pids, Path(routed.env["GENQUEUE_CATALOG_PATH"]) / "extra.yaml"
    extra.write_text("models: [{id: t/new}]\n")
    hang_up(routed)
    await heard(routed, "catalog_refused", readers)
    assert (await ended(caller, "t/healthy"))["status"] == "completed"
    extra.write_text(
        "models: [{id: t/new, kind: image, name: New, sizes: [64x64], endpoints: [{provider: sandbox, prices: [],"
        " upstream_model: image, limits: {concurrency: 9, requests_per_minute: 99}}]}]\n"
    )
    hang_up(routed)
    await heard(routed, "catalog_read", readers)
    assert (await ended(caller, "t/new"))["status"] == "completed"
    assert routed.pids == before
    await heard(routed, "hangup_ignored", ("relay",))


async def test_without_redis_limits_still_hold(routed: stack.Stack, caller: client.Client) -> None:
    """What is running when Redis goes away is finished without it; doorbells come back with it."""
    receipts = [await caller.submit("image", {"model": "t/narrow", **PROMPT}) for _ in range(8)]
    await routed.kill("redis")
    await routed.restart("redis")
    jobs = await asyncio.gather(*(conftest.end_of(caller, receipt["id"]) for receipt in receipts))
    assert {job["status"] for job in jobs} == {"completed"}
    assert crowd(await asks(routed, jobs)) <= 2

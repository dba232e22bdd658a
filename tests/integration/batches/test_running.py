"""Rows run in slices: every row gets exactly one outcome, whatever its provider does and whatever its owner wants."""

import csv
import hashlib
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from shared import clock
from shared.db import copies, engine
from shared.db.tables import batch_rows, jobs
from shared.services import readings, slice_turns
from shared.services import slices as slice_services
from shared.storage import objects as storage
from tests.integration.batches import conftest
from workers import context
from workers.steps import batch_rows as row_steps
from workers.steps import reading, slices

TEXT = {"model": "sandbox/text", "template": "About {{name}}"}


def names(count: int, first: int = 0) -> str:
    return "name\n" + "".join(f"row {number}\n" for number in range(first, first + count))


async def results(api: httpx.AsyncClient, batch_id: str, **parameters: str) -> list[dict[str, str]]:
    answer = await api.get(f"/v1/batches/{batch_id}/results", params=parameters)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


async def count_jobs(database: engine.Database) -> int:
    async with database.transaction() as connection:
        return (await connection.execute(sa.select(sa.func.count()).select_from(jobs.jobs))).scalar_one()


async def asks(sandbox_url: str, batch_id: str) -> list[conftest.Json]:
    """What the provider saw of this batch."""
    async with httpx.AsyncClient() as client:
        lines = (await client.get(f"{sandbox_url}/record")).text.splitlines()
    return [ask for ask in map(json.loads, lines) if batch_id[4:23] in ask["reference"]]


async def test_a_text_row_costs_one_ask_and_no_job(
    send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient, database: engine.Database, sandbox_url: str
) -> None:
    batch = (await send(names(130), **TEXT)).json()
    ended = await drive(batch["id"])
    assert ended["counts"] | {"total": 130, "completed": 130} == ended["counts"]
    assert await count_jobs(database) == 0
    asked = await asks(sandbox_url, batch["id"])
    assert len({ask["reference"] for ask in asked}) == len(asked) == 130
    found = await results(api, batch["id"])
    assert [row["name"] for row in found] == [f"row {number}" for number in range(130)]
    assert {row["status"] for row in found} == {"completed"}
    assert all(f"row {number}"[4:] in row["output"] for number, row in enumerate(found))
    assert ended["cost_micros"] == 130 * 500 == sum(round(float(row["cost_usd"]) * 1e6) for row in found)


async def test_a_batch_tells_its_course_as_a_stream(
    send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient
) -> None:
    batch = (await send(names(3), **TEXT)).json()
    await drive(batch["id"])
    path = f"/v1/batches/{batch['id']}/events"
    lines = (await api.get(path)).text.splitlines()
    told = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert told == ["batch.validated", "batch.started", "batch.completed"]
    last = next(line.removeprefix("id: ") for line in reversed(lines) if line.startswith("id: "))
    assert (await api.get(path, headers={"Last-Event-ID": last})).status_code == 204
    assert (await api.get("/v1/batches/bat_01k0zqj5w3m8v4t2c6n9xb7rde/events")).status_code == 404


async def test_a_row_is_a_job(send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient) -> None:
    batch = (await send("name,custom_id\nKettle,a-1\n", **TEXT, metadata='{"order": "17"}')).json()
    await drive(batch["id"])
    line = json.loads((await api.get(f"/v1/batches/{batch['id']}/results", params={"format": "jsonl"})).text)
    assert (line["custom_id"], line["input"]) == ("a-1", {"name": "Kettle", "custom_id": "a-1"})
    job = (await api.get(f"/v1/jobs/{line['job_id']}", params={"expand": "request"})).json()
    assert (job["status"], job["kind"], job["text"]) == ("completed", "text", line["output"])
    assert job["request"] == {"model": "sandbox/text", "prompt": "About Kettle"}
    assert [attempt["status"] for attempt in job["attempts"]] == ["succeeded"]
    assert job["metadata"] == {"order": "17"}
    assert (await api.post(f"/v1/jobs/{line['job_id']}/cancel")).status_code == 409
    assert (await api.get(f"/v1/jobs/{line['job_id'][:-1]}9")).status_code == 404


@pytest.mark.parametrize(
    ("model", "counts", "codes", "attempts"),
    [
        ("text-refuse", {"failed": 3}, {"content_policy": 3}, ["refused"]),
        ("text-invalid", {"failed": 3}, {"invalid_input": 3}, ["refused"]),
        ("text-no-media", {"failed": 3}, {"output_unusable": 3}, ["failed"]),
        ("text-backed", {"completed": 3}, {}, ["refused", "succeeded"]),
    ],
)
async def test_failures_end_as_those_of_single_jobs_do(
    send: conftest.Send,
    drive: conftest.Drive,
    api: httpx.AsyncClient,
    model: str,
    counts: dict[str, int],
    codes: dict[str, int],
    attempts: list[str],
) -> None:
    # Of endpoints with one price, lots are drawn: the test says who is first.
    first = json.dumps({"provider": {"order": ["sandbox"]}})
    batch = (await send(names(3), **TEXT | {"model": f"sandbox/{model}", "parameters": first})).json()
    ended = await drive(batch["id"])
    assert ended["counts"] | counts == ended["counts"]
    assert {group["code"]: group["count"] for group in ended["errors"]} == codes
    line = (await api.get(f"/v1/batches/{batch['id']}/results", params={"format": "jsonl"})).text.splitlines()[0]
    job = (await api.get(f"/v1/jobs/{json.loads(line)['job_id']}")).json()
    assert [attempt["status"] for attempt in job["attempts"]] == attempts


async def test_pictures_and_doubtful_texts_are_handed_over_to_ordinary_jobs(
    send: conftest.Send, worker: context.Context, api: httpx.AsyncClient, database: engine.Database
) -> None:
    pictures = (await send("prompt\na\nb\nc\n", model="sandbox/image", max_concurrency="2")).json()
    doubtful = (await send(names(1), **TEXT | {"model": "sandbox/text-cut-plain"})).json()
    for batch in (pictures, doubtful):
        for _ in range(4):
            await slices.run(worker, batch["id"])
    counts = (await api.get(f"/v1/batches/{pictures['id']}")).json()["counts"]
    assert (counts["queued"], counts["in_progress"]) == (1, 2)
    assert await count_jobs(database) == 3
    listed = (await api.get("/v1/jobs", params={"kind": "text"})).json()["data"]
    [job] = [(await api.get(f"/v1/jobs/{item['id']}")).json() for item in listed]
    assert job["id"].startswith(f"job_{doubtful['id'][4:23]}")
    assert [attempt["status"] for attempt in job["attempts"]] == ["sent"]


async def test_a_retry_runs_only_what_failed_and_old_outcomes_stay(
    send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient, sandbox_url: str
) -> None:
    body = "prompt,model\ngood,sandbox/text\nbad,sandbox/text-refuse\n,sandbox/text\n"
    batch = (await send(body)).json()
    await drive(batch["id"])
    first = [json.loads(line) for line in (await jsonl(api, batch["id"])).splitlines()]
    again = await api.post(f"/v1/batches/{batch['id']}/retry")
    assert (again.status_code, again.json()["generation"]) == (200, 1)
    ended = await drive(batch["id"])
    assert ended["counts"] | {"completed": 1, "failed": 1, "invalid": 1} == ended["counts"]
    second = [json.loads(line) for line in (await jsonl(api, batch["id"])).splitlines()]
    assert second[0] == first[0]
    assert second[1]["job_id"] != first[1]["job_id"]
    assert (second[1]["generation"], second[1]["status"]) == (1, "failed")
    old = (await api.get(f"/v1/jobs/{first[1]['job_id']}")).json()
    assert (old["status"], old["error"]["code"]) == ("failed", "content_policy")
    assert len(await asks(sandbox_url, batch["id"])) == 3
    assert {file["name"] for file in ended["files"]} >= {"results.csv", "results.jsonl", "errors.csv", "manifest.json"}


async def jsonl(api: httpx.AsyncClient, batch_id: str) -> str:
    return (await api.get(f"/v1/batches/{batch_id}/results", params={"format": "jsonl"})).text


async def test_nothing_to_retry_is_said(send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient) -> None:
    batch = (await send(names(2), **TEXT)).json()
    assert (await api.post(f"/v1/batches/{batch['id']}/retry")).status_code == 409
    await drive(batch["id"])
    assert (await api.post(f"/v1/batches/{batch['id']}/retry")).status_code == 409


async def test_pause_resume_and_cancel(
    send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient, worker: context.Context, sandbox_url: str
) -> None:
    batch = (await send(names(60), **TEXT, dry_run="true")).json()
    url = f"/v1/batches/{batch['id']}"
    await drive(batch["id"], "ready")
    assert (await api.post(f"{url}/pause")).status_code == 409
    await api.post(f"{url}/start")
    assert (await api.post(f"{url}/pause")).json()["status"] == "paused"
    await slices.run(worker, batch["id"])
    assert await asks(sandbox_url, batch["id"]) == []
    assert (await api.post(f"{url}/resume")).json()["status"] == "in_progress"
    assert (await api.post(f"{url}/cancel")).json()["status"] == "cancelling"
    ended = await drive(batch["id"])
    assert (ended["status"], ended["counts"]["cancelled"]) == ("cancelled", 60)
    assert (await api.post(f"{url}/cancel")).status_code == 200
    assert (await api.post(f"{url}/start")).status_code == 409
    await api.post(f"{url}/retry")
    assert (await drive(batch["id"]))["counts"]["completed"] == 60


async def test_when_the_time_is_over_the_rest_expires(
    send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient, pass_deadline: Callable[[str], Awaitable[None]]
) -> None:
    batch = (await send(names(5), **TEXT, dry_run="true")).json()
    await drive(batch["id"], "ready")
    await api.post(f"/v1/batches/{batch['id']}/start")
    await pass_deadline(batch["id"])
    ended = await drive(batch["id"])
    assert (ended["status"], ended["counts"]["expired"]) == ("expired", 5)
    assert ended["errors"][0]["code"] == "deadline_exceeded"


async def test_a_clone_reads_the_same_file_for_another_model(
    send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient
) -> None:
    batch = (await send(names(3), **TEXT)).json()
    await drive(batch["id"])
    clone = (await api.post(f"/v1/batches/{batch['id']}/clone", json={"model": "sandbox/text-instant"})).json()
    ended = await drive(clone["id"])
    assert (ended["clone_of"], ended["model"], ended["counts"]["completed"]) == (batch["id"], "sandbox/text-instant", 3)
    assert (await api.post(f"/v1/batches/{batch['id']}/clone", json={"model": "sandbox/tex"})).status_code == 400


async def test_rows_in_the_hand_of_a_dead_process_are_asked_again_under_the_same_key(
    send: conftest.Send,
    drive: conftest.Drive,
    api: httpx.AsyncClient,
    worker: context.Context,
    database: engine.Database,
    sandbox_url: str,
) -> None:
    batch = (await send(names(7), **TEXT, dry_run="true")).json()
    await drive(batch["id"], "ready")
    await api.post(f"/v1/batches/{batch['id']}/start")
    supply = slice_services.Supply(worker.shelf.current, worker.usable_providers(), room=5)
    dead = await slice_services.begin(database, batch["id"], "prc_dead", supply)
    assert dead is not None
    taken = (await slice_turns.turn(database, dead, [], supply, clock.now(), slice_turns.InHand())).asks
    assert len(taken) == 5
    ask, attempt = taken[0], taken[0].attempt(dead.batch, clock.now())
    await worker.adapter("sandbox", 0).submit(row_steps.ask_of(ask, attempt))
    assert (await api.get(f"/v1/batches/{batch['id']}")).json()["counts"]["in_progress"] == 5
    assert await slice_services.rescue(database) == 1
    with pytest.raises(slice_services.LostSliceError):
        await slice_turns.turn(database, dead, [], supply, clock.now(), slice_turns.InHand())
    ended = await drive(batch["id"])
    assert ended["counts"]["completed"] == 7
    asked = await asks(sandbox_url, batch["id"])
    assert sum(ask["charged_micros"] > 0 for ask in asked) == 7
    assert [ask["answer"] for ask in asked].count("deduplicated") == 1


async def test_reading_goes_on_where_a_dead_process_stopped(
    send: conftest.Send,
    drive: conftest.Drive,
    worker: context.Context,
    database: engine.Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "CHUNK_ROWS", 100)
    batch = (await send(names(450) + "ragged,row\n", **TEXT, dry_run="true")).json()
    begun = 0
    original = readings.store

    async def dies(*arguments: Any) -> None:
        nonlocal begun
        begun += 1
        if begun == 3:
            raise RuntimeError("the process dies")
        await original(*arguments)

    monkeypatch.setattr(readings, "store", dies)
    with pytest.raises(RuntimeError):
        await slices.run(worker, batch["id"])
    monkeypatch.setattr(readings, "store", original)
    ready = await drive(batch["id"], "ready")
    assert (ready["counts"]["total"], ready["counts"]["queued"], ready["counts"]["invalid"]) == (451, 450, 1)
    assert ready["estimate"]["most_cost_micros"] == 450 * 500
    async with database.transaction() as connection:
        numbers = list((await connection.execute(sa.select(batch_rows.batch_rows.c.number))).scalars())
    assert sorted(numbers) == list(range(1, 452))


async def test_a_chunk_that_another_process_has_stored_is_not_stored_again(
    send: conftest.Send, api: httpx.AsyncClient, worker: context.Context, database: engine.Database
) -> None:
    batch = (await send(names(1), **TEXT, dry_run="true")).json()
    supply = slice_services.Supply(worker.shelf.current, worker.usable_providers())
    here = await slice_services.begin(database, batch["id"], worker.process_id, supply)
    assert here is not None
    assert await slice_services.hold(database, here)
    chunk = readings.Chunk(copies.line(here.batch.number, 1, 2, ["Kettle"]).encode(), rows=1, last=1)
    await readings.store(database, here.batch, here.number, chunk)
    with pytest.raises(readings.LostReadingError):
        await readings.store(database, here.batch, here.number, chunk)
    assert (await api.get(f"/v1/batches/{batch['id']}")).json()["counts"]["total"] == 1


async def test_a_chunk_is_not_stored_when_the_one_before_it_was_not(
    send: conftest.Send, api: httpx.AsyncClient, worker: context.Context, database: engine.Database
) -> None:
    batch = (await send(names(1), **TEXT, dry_run="true")).json()
    supply = slice_services.Supply(worker.shelf.current, worker.usable_providers())
    here = await slice_services.begin(database, batch["id"], worker.process_id, supply)
    assert here is not None
    assert await slice_services.hold(database, here)

    async def lost() -> None:
        raise readings.LostReadingError

    chunk = readings.Chunk(copies.line(here.batch.number, 1, 2, ["Kettle"]).encode(), rows=1, last=1)
    with pytest.raises(readings.LostReadingError):
        await readings.store(database, here.batch, here.number, chunk, lost())
    assert (await api.get(f"/v1/batches/{batch['id']}")).json()["counts"]["total"] == 0
    async with database.transaction() as connection:
        assert not list(await connection.execute(sa.select(batch_rows.batch_rows.c.number)))


async def test_two_processes_never_read_the_same_file_at_once(
    send: conftest.Send, worker: context.Context, database: engine.Database
) -> None:
    batch = (await send(names(5), **TEXT, dry_run="true")).json()
    supply = slice_services.Supply(worker.shelf.current, worker.usable_providers())
    first = await slice_services.begin(database, batch["id"], worker.process_id, supply)
    second = await slice_services.begin(database, batch["id"], worker.process_id, supply)
    assert first is not None
    assert second is not None
    assert await slice_services.hold(database, first)
    assert not await slice_services.hold(database, second)


async def test_the_files_of_a_closed_batch_are_whole(
    send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient, objects: storage.Objects
) -> None:
    batch = (await send(names(20), **TEXT)).json()
    ended = await drive(batch["id"])
    manifest: conftest.Json = {}
    for file in ended["files"]:
        download = await objects.open(file["key"])
        body = b"".join([chunk async for chunk in download.chunks])
        assert (len(body), hashlib.sha256(body).hexdigest()) == (file["size_bytes"], file["sha256"])
        if file["name"] == "manifest.json":
            manifest = json.loads(body)
        if file["name"] == "results.csv":
            assert body == (await api.get(f"/v1/batches/{batch['id']}/results")).content
    listed = {file["name"]: file["sha256"] for file in manifest["files"]}
    assert listed.items() <= {file["name"]: file["sha256"] for file in ended["files"]}.items()
    assert manifest["counts"]["completed"] == 20

"""Seeing, listing, cancelling, running again, deleting."""

import httpx
import pytest

from shared import clock, ids, settings
from shared.catalog import shelf
from shared.db import attempts as attempt_rows
from shared.db import engine
from shared.domain import attempts, requests, states
from shared.providers import registry
from shared.services import acceptance
from shared.storage import objects as storage
from shared.storage import troubles
from tests.integration.api import steps


async def foreign_job(database: engine.Database) -> str:
    catalog = shelf.Shelf(settings.SHIPPED_CATALOG, registry.ABILITIES).current
    request = requests.VideoRequest(model="sandbox/video", prompt="Theirs", priority=9)
    sender = acceptance.Sender("ten_00000000000000000000000001", ids.new(ids.Prefix.KEY))
    new = acceptance.NewRequest(sender, states.Kind.VIDEO, request, acceptance.Rules(60))
    receipt = await acceptance.accept(database, catalog, registry.usable(catalog, frozenset()), new, clock.now())
    return receipt.job.id


async def test_a_foreign_job_is_not_there(
    client: httpx.AsyncClient, database: engine.Database, submit: steps.Submit, count: steps.Count
) -> None:
    theirs, ours = await foreign_job(database), await submit()
    before = await count()
    for method, path in (
        ("GET", ""),
        ("GET", "?wait=1"),
        ("GET", "?expand=request"),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("POST", "/rerun"),
        ("GET", "/outputs/0"),
    ):
        assert (await client.request(method, f"/v1/jobs/{theirs}{path}")).status_code == 404
    listed = (await client.get("/v1/jobs")).json()
    assert [job["id"] for job in listed["data"]] == [ours]
    # Theirs is more urgent and older; it is not counted.
    assert (await client.get(f"/v1/jobs/{ours}")).json()["queue_position"] == 1
    assert await count() == before


async def test_a_finished_job_tells_everything(
    client: httpx.AsyncClient,
    database: engine.Database,
    submit: steps.Submit,
    finish: steps.Finish,
    change: steps.Change,
) -> None:
    job_id = await submit(metadata={"order": "17"})
    attempt = attempts.Attempt(
        id=ids.new(ids.Prefix.ATTEMPT),
        job_id=job_id,
        number=1,
        model="sandbox/video",
        provider="sandbox",
        upstream_model="video",
        credential=0,
        status=states.AttemptStatus.INTENDED,
        reference="r1",
        created_at=clock.now(),
    )
    async with database.transaction() as connection:
        await attempt_rows.insert_all(connection, [attempt])
        await attempt_rows.change(connection, attempt.id, states.AttemptStatus.SENT)
        await attempt_rows.change(connection, attempt.id, states.AttemptStatus.IN_DOUBT, cost_micros=1234567)
    output = await finish(job_id, duration_seconds=2.0)
    await change(job_id, cost_micros=1234567, served_model="sandbox/video", served_provider="sandbox")
    job = (await client.get(f"/v1/jobs/{job_id}?expand=request")).json()
    assert (job["status"], job["queue_position"], job["in_doubt"]) == ("completed", None, True)
    assert job["usage"]["cost"] == "1.234567"
    assert (job["attempts"][0]["status"], job["attempts"][0]["provider"]) == ("in_doubt", "sandbox")
    assert job["request"]["prompt"] == "A paper boat"
    made = job["outputs"][0]
    assert (made["sha256"], made["size_bytes"], made["width"]) == (output.sha256, 10, 64)
    assert made["url"] == f"{job['polling_url']}/outputs/0"
    assert (await client.get(f"/v1/jobs/{job_id}")).json()["request"] is None


async def test_pages_hold_every_job_once(client: httpx.AsyncClient, submit: steps.Submit) -> None:
    made = [await submit() for _ in range(5)]
    seen, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/jobs", params=query)).json()
        seen += [job["id"] for job in page["data"]]
        await submit()  # newer jobs do not shift the pages after
        cursor = page["next_cursor"]
        assert page["has_more"] is (cursor is not None)
        if cursor is None:
            break
    assert sorted(seen) == sorted(made)


async def test_lists_are_filtered(client: httpx.AsyncClient, submit: steps.Submit, change: steps.Change) -> None:
    plain = await submit()
    tagged = await submit(metadata={"order": "17", "a.b": "c"})
    failed = await submit(metadata={"order": "18"})
    await change(failed, status="failed", step="done")
    image = (await client.post("/v1/images", json={"model": "sandbox/image", "prompt": "x"})).json()

    async def found(query: str) -> set[str]:
        answer = await client.get(f"/v1/jobs?{query}")
        assert answer.status_code == 200, answer.text
        return {job["id"] for job in answer.json()["data"]}

    assert await found("metadata[order]=17") == {tagged}
    assert await found("metadata.order=17&metadata[a.b]=c") == {tagged}
    assert await found("metadata[order]=17&metadata[a.b]=d") == set()
    assert await found("kind=image") == {image["id"]}
    assert await found("model=sandbox/image&kind=video") == set()
    assert await found("status=failed") == {failed}
    assert await found("status=failed&status=queued&kind=video") == {plain, tagged, failed}
    moment = image["created_at"]
    assert await found(f"created_before={moment}") == {plain, tagged, failed}
    assert await found(f"created_after={moment}") == set()


async def test_the_queue_position_counts_the_urgent_and_the_older(
    client: httpx.AsyncClient, submit: steps.Submit
) -> None:
    first, second = await submit(), await submit()
    urgent = await submit(priority=9)

    async def position(job_id: str) -> int:
        return int((await client.get(f"/v1/jobs/{job_id}")).json()["queue_position"])

    assert [await position(job_id) for job_id in (urgent, first, second)] == [1, 2, 3]


async def test_a_job_nobody_began_is_cancelled_at_once(client: httpx.AsyncClient, submit: steps.Submit) -> None:
    job_id = await submit()
    for _ in range(2):
        answer = await client.post(f"/v1/jobs/{job_id}/cancel")
        assert (answer.status_code, answer.json()["status"], answer.json()["billed"]) == (200, "cancelled", "no")


@pytest.mark.parametrize(
    "held", [{"lease_owner": "prc_1"}, {"attempt_id": "att_1"}, {"status": "in_progress", "step": "poll"}]
)
async def test_a_job_somebody_began_is_only_asked_to_stop(
    client: httpx.AsyncClient, submit: steps.Submit, change: steps.Change, held: dict[str, str]
) -> None:
    job_id = await submit()
    await change(job_id, **held)
    answer = await client.post(f"/v1/jobs/{job_id}/cancel")
    assert answer.status_code == 202
    assert answer.json()["status"] == held.get("status", "queued")
    asked_at = answer.json()["cancel_requested_at"]
    assert asked_at is not None
    assert (await client.post(f"/v1/jobs/{job_id}/cancel")).json()["cancel_requested_at"] == asked_at


async def test_a_job_that_is_over_is_not_cancelled(
    client: httpx.AsyncClient, submit: steps.Submit, finish: steps.Finish
) -> None:
    job_id = await submit()
    await finish(job_id)
    answer = await client.post(f"/v1/jobs/{job_id}/cancel")
    assert (answer.status_code, answer.json()["error"]["details"]) == (409, {"status": "completed"})


async def test_a_rerun_is_a_new_job_from_the_same_request(
    client: httpx.AsyncClient, submit: steps.Submit, finish: steps.Finish
) -> None:
    job_id = await submit(metadata={"order": "17"})
    assert (await client.post(f"/v1/jobs/{job_id}/rerun")).status_code == 409
    await finish(job_id)
    headers = {"Idempotency-Key": "again"}
    answers = [await client.post(f"/v1/jobs/{job_id}/rerun", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"] != job_id
    again = (await client.get(f"/v1/jobs/{answers[0].json()['id']}?expand=request")).json()
    first = (await client.get(f"/v1/jobs/{job_id}?expand=request")).json()
    assert (again["rerun_of"], again["request"]) == (job_id, first["request"])


async def test_deleting_takes_the_bytes_and_keeps_the_record(
    client: httpx.AsyncClient, objects: storage.Objects, submit: steps.Submit, finish: steps.Finish
) -> None:
    job_id = await submit()
    assert (await client.delete(f"/v1/jobs/{job_id}")).status_code == 409
    output = await finish(job_id)
    for _ in range(2):
        answer = await client.delete(f"/v1/jobs/{job_id}")
        assert (answer.status_code, answer.json()["status"]) == (200, "completed")
        assert answer.json()["outputs"][0]["deleted_at"] == answer.json()["deleted_at"] is not None
    with pytest.raises(troubles.ObjectMissingError):
        await objects.head(output.key)
    gone = await client.get(f"/v1/jobs/{job_id}/outputs/0")
    assert (gone.status_code, gone.json()["error"]["code"]) == (410, "gone")


async def test_models_are_listed_with_prices(client: httpx.AsyncClient) -> None:
    videos = (await client.get("/v1/models?kind=video&provider=sandbox")).json()["data"]
    assert {model["kind"] for model in videos} == {"video"}
    model = (await client.get("/v1/models/sandbox/video")).json()
    assert model in videos
    assert model["available"] is True
    assert model["endpoints"][0]["prices"]
    near = (await client.get("/v1/models/sandbox/vidoe")).json()["error"]["accepted"]
    assert "sandbox/video" in near

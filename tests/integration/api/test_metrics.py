"""`/metrics`: what was counted and how the installation stands, for an operator's key only."""

from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa
from prometheus_client import parser

from shared import clock, settings
from shared.db import attempts as attempt_rows
from shared.db import engine
from shared.db.tables import jobs as tables
from shared.domain import attempts, states
from shared.services import metrics as services
from tests.integration.api import steps

URL = "https://93.184.215.14/hook"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the figures take longer than anybody would wait for them."""
    monkeypatch.setattr(services, "READ_SECONDS", 60.0)


async def read(client: httpx.AsyncClient) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    families = parser.text_string_to_metric_families(answer.text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def of(figures: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    return figures[name, frozenset(labels.items())]


async def test_a_stranger_sees_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401


async def test_requests_and_accepted_jobs_are_counted(client: httpx.AsyncClient, submit: steps.Submit) -> None:
    labels = {"route": "/v1/videos", "method": "POST", "status": "202"}
    before = await read(client)
    await submit()
    after = await read(client)
    name = frozenset(labels.items())
    counted = before.get(("genqueue_http_requests_total", name), 0.0)
    assert of(after, "genqueue_http_requests_total", **labels) == counted + 1
    accepted = before.get(("genqueue_jobs_accepted_total", frozenset({("kind", "video")})), 0.0)
    assert of(after, "genqueue_jobs_accepted_total", kind="video") == accepted + 1


async def test_paths_and_ids_are_no_labels(client: httpx.AsyncClient, submit: steps.Submit) -> None:
    job_id = await submit()
    await client.get(f"/v1/jobs/{job_id}")
    await client.get("/no/such/path-of-a-scanner")
    text = (await client.get("/metrics")).text
    assert job_id not in text
    assert "scanner" not in text
    assert 'route="none"' in text


async def test_the_oldest_queued_job_and_what_is_in_doubt(
    client: httpx.AsyncClient, submit: steps.Submit, change: steps.Change, database: engine.Database
) -> None:
    job_id = await submit()
    hour_ago = clock.now() - timedelta(hours=1)
    await change(job_id, created_at=hour_ago, due_at=hour_ago)
    async with database.transaction() as connection:
        await attempt_rows.insert_all(connection, [_attempt(job_id)])
        await attempt_rows.change(connection, "att_1", states.AttemptStatus.SENT)
        await attempt_rows.change(connection, "att_1", states.AttemptStatus.IN_DOUBT)
    figures = await read(client)
    assert 3600 <= of(figures, "genqueue_oldest_queued_job_age_seconds", kind="video") < 3700
    assert of(figures, "genqueue_oldest_queued_job_age_seconds", kind="image") == 0
    assert 3600 <= of(figures, "genqueue_step_lateness_seconds", step="submit") < 3700
    assert of(figures, "genqueue_jobs_in_state", kind="video", state="queued") == 1
    assert of(figures, "genqueue_attempts_in_doubt") == 1
    assert of(figures, "genqueue_worker_processes") == 0
    assert of(figures, "genqueue_canary_age_seconds", queue="jobs") == 86400


async def test_what_upkeep_has_left_lying_is_counted(
    client: httpx.AsyncClient, submit: steps.Submit, change: steps.Change
) -> None:
    hour_ago = clock.now() - timedelta(hours=2)
    await change(await submit(store=False), status="failed", finished_at=hour_ago)
    figures = await read(client)
    assert of(figures, "genqueue_upkeep_backlog", work="unforgotten") == 1
    assert of(figures, "genqueue_upkeep_backlog", work="stale_keys") == 0


def _attempt(job_id: str) -> attempts.Attempt:
    return attempts.Attempt(
        id="att_1",
        job_id=job_id,
        number=1,
        model="sandbox/video",
        provider="sandbox",
        upstream_model="video",
        credential=0,
        status=states.AttemptStatus.INTENDED,
        reference=f"{job_id}.1",
        created_at=clock.now(),
    )


async def test_deliveries_that_wait_and_how_late_they_are(client: httpx.AsyncClient, database: engine.Database) -> None:
    ids = [(await client.post("/v1/webhook-receivers", json={"url": URL})).json()["id"] for _ in range(2)]
    for receiver_id in ids:
        assert (await client.post(f"/v1/webhook-receivers/{receiver_id}/test")).status_code == 202
    async with database.transaction() as connection:
        await connection.execute(sa.text("UPDATE deliveries SET due_at = now() - interval '1 minute'"))
        # The other one fails, and waits for its turn.
        await connection.execute(
            sa.text("UPDATE deliveries SET due_at = now() - interval '1 hour' WHERE receiver_id = :id"), {"id": ids[1]}
        )
        await connection.execute(sa.text("UPDATE receivers SET strikes = 5 WHERE id = :id"), {"id": ids[1]})
    figures = await read(client)
    assert of(figures, "genqueue_deliveries_waiting") == 2
    assert 60 <= of(figures, "genqueue_delivery_lateness_seconds") < 160


async def test_counting_reads_an_index_and_not_all_jobs(database: engine.Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        query = sa.select(sa.func.count()).where(tables.jobs.c.status.in_(sorted(states.ACTIVE)))
        text = str(query.compile(compile_kwargs={"literal_binds": True}))
        plan = "\n".join((await connection.execute(sa.text(f"EXPLAIN {text}"))).scalars())
    assert "ix_jobs_" in plan


async def test_without_the_database_it_tells_so_and_shows_no_stale_figures(
    configured: settings.Settings, serve: steps.Serve
) -> None:
    away = configured.model_copy(
        update={"database_url": type(configured.database_url)("postgresql+asyncpg://x:x@127.0.0.1:1/x")}
    )
    async with serve(away) as client:
        figures = await read(client)
    assert of(figures, "genqueue_database_up") == 0
    assert of(figures, "genqueue_part_up", part="database") == 0
    assert of(figures, "genqueue_part_up", part="storage") == 1
    assert not any(name == "genqueue_jobs_in_state" for name, _ in figures)

"""What callers see while a server is away, and that no trace leaves."""

import httpx
import pydantic
import pytest
import sqlalchemy as sa

from shared import settings
from shared.db import engine
from tests.integration.api import steps

VIDEO = {"model": "sandbox/video", "prompt": "a very secret prompt"}
NOWHERE = pydantic.SecretStr("postgresql+asyncpg://nobody:nothing@127.0.0.1:1/none")


async def test_without_the_database_it_is_503_and_come_back(serve: steps.Serve, configured: settings.Settings) -> None:
    async with serve(configured.model_copy(update={"database_url": NOWHERE})) as client:
        for answer in (await client.post("/v1/videos", json=VIDEO), await client.get("/v1/jobs")):
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
            assert int(answer.headers["Retry-After"]) >= 1
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
        assert (await client.get("/livez")).status_code == 200


async def test_all_is_well_with_all_servers(client: httpx.AsyncClient) -> None:
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "degraded": []})


async def test_a_fault_of_ours_is_500_without_a_trace_or_the_prompt(
    client: httpx.AsyncClient, database: engine.Database, capsys: pytest.CaptureFixture[str]
) -> None:
    async with database.transaction() as connection:
        await connection.execute(sa.text("ALTER TABLE requests RENAME TO requests_hidden"))
    try:
        answer = await client.post("/v1/videos", json=VIDEO, headers={"X-Request-Id": "find-me"})
    finally:
        async with database.transaction() as connection:
            await connection.execute(sa.text("ALTER TABLE requests_hidden RENAME TO requests"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert answer.headers["X-Request-Id"] == "find-me"
    logged = capsys.readouterr().out
    assert "find-me" in logged
    assert "ProgrammingError" in logged
    for secret in ("very secret", "INSERT"):
        assert secret not in logged
    assert not any(word in answer.text for word in ("Traceback", "sqlalchemy", "INSERT", "secret"))


async def test_one_line_a_request_with_its_ids_and_without_secrets(
    client: httpx.AsyncClient, configured: settings.Settings, submit: steps.Submit, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = await submit(prompt="very secret")
    out = capsys.readouterr().out
    assert job_id in out
    assert "very secret" not in out
    assert configured.admin_key.get_secret_value() not in out

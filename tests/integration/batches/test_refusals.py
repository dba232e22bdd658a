"""A batch that cannot be run is refused at once or ends as failed, with the reason; and nothing of it is left."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
import sqlalchemy as sa

from shared.db import engine
from shared.db.tables import batch_rows, batches
from shared.storage import objects as storage
from tests.integration.batches import conftest

OK = {"model": "sandbox/text", "template": "About {{name}}"}


async def stored(database: engine.Database) -> tuple[int, int]:
    async with database.transaction() as connection:
        counts = [
            (await connection.execute(sa.select(sa.func.count()).select_from(table))).scalar_one()
            for table in (batches.batches, batch_rows.batch_rows)
        ]
    return counts[0], counts[1]


AT_ONCE = [
    pytest.param("", OK, "file", "empty_file", id="empty file"),
    pytest.param("a,a\n1,2\n", OK, "file", "duplicate_header", id="duplicate header"),
    pytest.param("name,\n1,2\n", OK, "file", "empty_header", id="empty header"),
    pytest.param("name\nx\n".encode("utf-16-be"), OK, "file", "bad_encoding", id="UTF-16 without mark"),
    pytest.param("name\nZoë\n".encode("cp1252"), OK, "file", "bad_encoding", id="not UTF-8"),
    pytest.param("nme\nx\n", OK, "template", "unknown_column", id="template names a missing column"),
    pytest.param("name\nx\n", OK | {"template": "no hole"}, "template", "template_without_column", id="no hole"),
    pytest.param("name\nx\n", {"model": "sandbox/text"}, "file", "no_prompt", id="no prompt"),
    pytest.param("prompt\nx\n", {}, "model", "no_model", id="no model"),
    pytest.param(
        "name\nx\n", OK | {"parameters": '{"max_tokens": 0}'}, "parameters", "invalid_value", id="bad parameter"
    ),
    pytest.param(
        "name\nx\n",
        OK | {"model": "sandbox/video", "parameters": '{"duration": 99}'},
        "parameters",
        None,
        id="no such length",
    ),
    pytest.param("name\nx\n", OK | {"model": "sandbox/txt"}, "model", None, id="unknown model"),
    pytest.param("name\nx\n", OK | {"mapping": "{"}, "mapping", None, id="mapping is no JSON"),
    pytest.param("name\nx\n", OK | {"mapping": '{"prompt": "name"}'}, None, None, id="template and mapping"),
    pytest.param("name\nx\n", OK | {"on_invalid": "ignore"}, "on_invalid", None, id="on_invalid"),
    pytest.param("name\nx\n", OK | {"priority": "10"}, "priority", None, id="priority"),
    pytest.param("name\nx\n", OK | {"completion_window": "31d"}, "completion_window", None, id="window"),
    pytest.param("name\nx\n", OK | {"dry_run": "maybe"}, "dry_run", None, id="dry_run"),
    pytest.param("name\nx\n", OK | {"colour": "red"}, "colour", None, id="unknown field"),
    pytest.param("name\nx\n", OK | {"response_schema": '{"type": 7}'}, None, None, id="schema is none"),
    pytest.param("name\nx\n", OK | {"webhook_url": "http://10.0.0.1/x"}, "webhook_url", None, id="webhook inside"),
]


@pytest.mark.parametrize(("body", "fields", "param", "code"), AT_ONCE)
async def test_what_can_be_known_at_once_is_said_at_once(
    send: conftest.Send,
    database: engine.Database,
    body: str | bytes,
    fields: dict[str, str],
    param: str | None,
    code: str | None,
) -> None:
    answer = await send(body, **fields)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["message"]
    if param is not None:
        assert error["param"] == param
    if code is not None:
        assert error["details"]["code"] == code
    assert await stored(database) == (0, 0)


LATER = [
    pytest.param("name\n", OK, "no_rows", id="header only"),
    pytest.param('name\nx\n"open\n', OK, "unclosed_quote", id="unclosed quote"),
    pytest.param("name\n" + "x\n" * 3001, OK, "too_many_rows", id="one row more than the cap"),
    pytest.param("name,b\nx\ny\n", OK, "no_valid_rows", id="no row is valid"),
    pytest.param("name,b\nx,1\ny\n", OK | {"on_invalid": "reject"}, "invalid_rows", id="reject"),
]


@pytest.mark.parametrize(("body", "fields", "code"), LATER)
async def test_what_only_the_whole_file_tells_ends_the_batch_before_any_row_is_run(
    send: conftest.Send, drive: conftest.Drive, body: str, fields: dict[str, str], code: str
) -> None:
    batch = (await send(body, **fields)).json()
    ended = await drive(batch["id"])
    assert (ended["status"], ended["error"]["code"]) == ("failed", code)
    assert ended["error"]["message"]
    assert ended["started_at"] is None
    counts = ended["counts"]
    assert counts["completed"] + counts["in_progress"] + counts["queued"] + counts["failed"] == 0


async def test_as_many_rows_as_the_cap_are_taken(send: conftest.Send, drive: conftest.Drive) -> None:
    batch = (await send("name\n" + "x\n" * 3000, **OK, dry_run="true")).json()
    assert (await drive(batch["id"], "ready", "failed"))["counts"]["queued"] == 3000


async def test_a_file_above_the_cap_is_refused_and_nothing_is_kept(
    send: conftest.Send, database: engine.Database
) -> None:
    answer = await send(b"name\n" + b"x\n" * 2_000_000, **OK)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert await stored(database) == (0, 0)


async def test_an_upload_that_ends_too_early_is_refused_and_nothing_is_kept(
    api: httpx.AsyncClient, database: engine.Database
) -> None:
    whole = httpx.Request("POST", "http://api/v1/batches", files={"file": ("r.csv", b"name\nx\n" * 1000)}, data=OK)
    body = whole.read()

    async def half() -> AsyncIterator[bytes]:
        yield body[: len(body) // 2]

    headers = {"Content-Type": whole.headers["Content-Type"]}
    answer = await api.post("/v1/batches", content=half(), headers=headers)
    assert answer.status_code == 400
    assert "ended before" in answer.json()["error"]["message"]
    assert await stored(database) == (0, 0)


async def test_a_form_without_a_file_and_one_with_two_are_refused(api: httpx.AsyncClient) -> None:
    none = await api.post("/v1/batches", files={"other": ("r.csv", b"name\nx\n")}, data=OK)
    assert (none.status_code, none.json()["error"]["code"], none.json()["error"]["param"]) == (
        400,
        "missing_field",
        "file",
    )
    two = await api.post("/v1/batches", files=[("file", ("r", b"name\nx\n")), ("file", ("s", b"name\n"))], data=OK)
    assert two.status_code == 400


@pytest.mark.parametrize(
    ("content_type", "status"),
    [("text/csv", 415), ("multipart/form-data", 400), ("multipart/form-data; boundary=x", 400)],
)
async def test_a_body_that_is_no_form_is_refused(api: httpx.AsyncClient, content_type: str, status: int) -> None:
    answer = await api.post("/v1/batches", content=b"name\nx\n", headers={"Content-Type": content_type})
    assert answer.status_code == status, answer.text


async def test_the_file_of_a_refused_batch_is_not_in_the_bucket(
    send: conftest.Send, objects: storage.Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted: list[str] = []
    original = storage.Objects.delete

    async def delete(self: storage.Objects, keys: list[str]) -> None:
        deleted.extend(keys)
        await original(self, keys)

    monkeypatch.setattr(storage.Objects, "delete", delete)
    assert (await send("nme\nx\n", **OK)).status_code == 400
    [key] = deleted
    with pytest.raises(Exception, match=r"404|NoSuchKey"):
        await objects.head(key)


async def test_faulty_rows_are_listed_with_line_column_and_reason_and_all_are_counted(
    send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient
) -> None:
    rows = "".join("ragged\n" for _ in range(1500))
    body = f"prompt,seed,custom_id\ngood,1,a\nbad,one,b\n,2,c\ntwice,3,a\n{rows}"
    batch = (await send(body, model="sandbox/text", dry_run="true")).json()
    ready = await drive(batch["id"], "ready", "failed")
    assert ready["counts"] | {"total": 1504, "queued": 1, "invalid": 1503} == ready["counts"]
    report = (await api.get(f"/v1/batches/{batch['id']}/report")).json()
    assert len(report["faulty"]) == 1000
    shown = [(row["line"], row["column"], row["code"]) for row in report["faulty"][:4]]
    assert shown == [
        (3, "seed", "invalid_value"),
        (4, "prompt", "invalid_value"),
        (5, None, "duplicate_custom_id"),
        (6, None, "ragged_row"),
    ]
    assert {group["code"]: group["count"] for group in report["batch"]["errors"]}["ragged_row"] == 1500
    assert report["samples"] == [{"model": "sandbox/text", "prompt": "good", "seed": 1}]
    page = (await api.get(f"/v1/batches/{batch['id']}/errors", params={"cursor": 1001})).json()
    assert (len(page["data"]), page["has_more"]) == (503, False)


async def test_a_dry_run_prices_and_runs_nothing_until_it_is_started(
    send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient, sandbox_url: str
) -> None:
    batch = (await send("name\nx\ny\n", **OK, dry_run="true")).json()
    ready = await drive(batch["id"], "ready")
    assert ready["estimate"]["most_cost_micros"] == 1000
    record = f"{sandbox_url}/record"
    async with httpx.AsyncClient() as client:
        assert batch["id"][4:23] not in (await client.get(record)).text
        await api.post(f"/v1/batches/{batch['id']}/start")
        ended = await drive(batch["id"])
        assert (await client.get(record)).text.count(batch["id"][4:23]) >= 2
    assert (ended["status"], ended["cost_micros"]) == ("completed", 1000)


async def test_a_url_that_cannot_be_fetched_fails_the_batch(api: httpx.AsyncClient, drive: conftest.Drive) -> None:
    body = {"url": "http://127.0.0.1:9/rows.csv", **OK}
    answer = await api.post("/v1/batches", json=body)
    assert answer.status_code == 202, answer.text
    ended = await drive(answer.json()["id"])
    assert (ended["status"], ended["error"]["code"]) == ("failed", "not_fetched")


async def test_json_bodies_are_checked_too(api: httpx.AsyncClient) -> None:
    missing = await api.post("/v1/batches", json=OK)
    assert (missing.status_code, missing.json()["error"]["param"]) == (400, "url")
    unknown = await api.post("/v1/batches", content=json.dumps({"url": "https://e.com/a.csv", "x": 1}).encode())
    assert unknown.status_code == 415

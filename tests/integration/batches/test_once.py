"""The same Idempotency-Key with the same upload is one batch (promise P8); and files that were uploaded before."""

import asyncio

import httpx
import pytest
import sqlalchemy as sa

from shared.db import engine
from shared.db.tables import batches as tables
from shared.storage import objects as storage
from tests.integration.batches import conftest

TEXT = {"model": "sandbox/text", "template": "About {{name}}"}
BODY = b"name\nKettle\nChair\n"
KEY = {"Idempotency-Key": "spring-list"}


async def post(api: httpx.AsyncClient, body: bytes = BODY, name: str = "rows.csv", **fields: str) -> httpx.Response:
    return await api.post("/v1/batches", files={"file": (name, body)}, data=TEXT | fields, headers=KEY)


async def count(database: engine.Database) -> int:
    async with database.transaction() as connection:
        return (await connection.execute(sa.select(sa.func.count()).select_from(tables.batches))).scalar_one()


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The keys of all that was put into the bucket in this test and not deleted."""
    kept: set[str] = set()
    put, delete = storage.Objects.put_stream, storage.Objects.delete

    async def noted_put(self: storage.Objects, key: str, *arguments: object) -> object:
        kept.add(key)
        return await put(self, key, *arguments)  # type: ignore[arg-type] # passed on as it came

    async def noted_delete(self: storage.Objects, keys: list[str]) -> None:
        await delete(self, keys)
        kept.difference_update(keys)

    monkeypatch.setattr(storage.Objects, "put_stream", noted_put)
    monkeypatch.setattr(storage.Objects, "delete", noted_delete)
    return kept


async def test_an_upload_sent_again_is_the_first_batch(
    api: httpx.AsyncClient, drive: conftest.Drive, database: engine.Database, stored: set[str]
) -> None:
    first = await post(api)
    again = await post(api)
    assert (first.status_code, again.status_code) == (202, 202)
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")
    assert again.headers["Location"] == first.headers["Location"]
    assert (await count(database), len(stored)) == (1, 1)
    assert (await drive(first.json()["id"]))["counts"]["completed"] == 2


@pytest.mark.parametrize(
    ("body", "name", "fields"),
    [
        pytest.param(BODY + b"Table\n", "rows.csv", {}, id="another file"),
        pytest.param(BODY, "rows.csv", {"priority": "7"}, id="another field"),
        pytest.param(BODY, "rows.tsv", {}, id="another name"),
    ],
)
async def test_with_another_upload_it_is_an_error_and_nothing_happens(
    api: httpx.AsyncClient, database: engine.Database, stored: set[str], body: bytes, name: str, fields: dict[str, str]
) -> None:
    await post(api)
    refused = await post(api, body, name, **fields)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "idempotency_mismatch")
    assert (await count(database), len(stored)) == (1, 1)


async def test_uploads_that_race_are_one_batch(
    api: httpx.AsyncClient, database: engine.Database, stored: set[str]
) -> None:
    answers = await asyncio.gather(*(post(api) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert (await count(database), len(stored)) == (1, 1)


async def test_a_refused_upload_leaves_its_key_free(
    api: httpx.AsyncClient, database: engine.Database, stored: set[str]
) -> None:
    assert (await post(api, b"nme\nKettle\n")).status_code == 400
    assert (await count(database), stored) == (0, set())
    assert (await post(api)).status_code == 202


async def test_a_file_that_was_uploaded_before_becomes_a_batch(
    api: httpx.AsyncClient, drive: conftest.Drive, database: engine.Database
) -> None:
    uploaded = await api.post("/openai/v1/files", files={"file": ("list.csv", BODY)}, data={"purpose": "batch"})
    body = {"input_file_id": uploaded.json()["id"], **TEXT}
    first = await api.post("/v1/batches", json=body, headers=KEY)
    again = await api.post("/v1/batches", json=body, headers=KEY)
    assert (first.status_code, first.json()["source"]) == (202, "list.csv"), first.text
    assert (again.json()["id"], await count(database)) == (first.json()["id"], 1)
    assert (await drive(first.json()["id"]))["counts"]["completed"] == 2
    foreign = await api.post("/v1/batches", json=TEXT | {"input_file_id": "file_01k0zqj5w3m8v4t2c6n9xb7rde"})
    assert foreign.status_code == 404
    both = await api.post("/v1/batches", json=body | {"url": "https://example.com/rows.csv"})
    assert (both.status_code, both.json()["error"]["accepted"]) == (400, ["url", "input_file_id"])


async def test_a_file_that_is_gone_when_it_is_read_fails_the_batch(
    api: httpx.AsyncClient, drive: conftest.Drive
) -> None:
    uploaded = await api.post("/openai/v1/files", files={"file": ("list.csv", BODY)}, data={"purpose": "batch"})
    file_id = uploaded.json()["id"]
    made = await api.post("/v1/batches", json=TEXT | {"input_file_id": file_id})
    assert (await api.delete(f"/openai/v1/files/{file_id}")).status_code == 200
    ended = await drive(made.json()["id"])
    assert (ended["status"], ended["error"]["code"]) == ("failed", "not_fetched")

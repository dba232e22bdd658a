"""Files whose time is over: nobody reads them, and upkeep erases their bytes and their rows."""

from datetime import timedelta

import httpx
import pytest

from shared import clock
from shared.db import engine
from shared.domain import files as domain
from shared.services import files
from shared.storage import objects as storage
from shared.storage import troubles

OPENAI = "/openai/v1"


async def test_an_expired_file_is_gone_and_then_erased(
    client: httpx.AsyncClient, database: engine.Database, objects: storage.Objects
) -> None:
    made = await client.post(f"{OPENAI}/files", data={"purpose": "user_data"}, files={"file": ("a.txt", b"abc")})
    file_id = made.json()["id"]
    kept = await client.post(f"{OPENAI}/files", data={"purpose": "user_data"}, files={"file": ("b.txt", b"abc")})
    (file,) = [
        item
        for item in (await files.list_page(database, _tenant(), files.Wanted(None, None, 10), clock.now())).files
        if item.id == file_id
    ]
    over = (file.expires_at or clock.now()) - timedelta(microseconds=1)
    assert await files.erase_expired(database, objects, over, 10) == 0
    assert (await objects.head(file.key)).size_bytes == 3
    assert await files.erase_expired(database, objects, over + timedelta(days=1), 1) == 1
    assert (await client.get(f"{OPENAI}/files/{file_id}")).status_code == 404
    assert (await client.get(f"{OPENAI}/files/{kept.json()['id']}/content")).content == b"abc"
    with pytest.raises(troubles.ObjectMissingError):
        await objects.head(domain.key_for(_tenant(), file_id))


def _tenant() -> str:
    return "ten_" + "0" * 26

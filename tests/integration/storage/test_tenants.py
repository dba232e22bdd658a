"""A tenant with a bucket of its own: its objects lie there, and nobody else's do."""

import dataclasses
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from shared.storage import bucket, objects, troubles
from tests.integration.storage import conftest

OWN, COMMON = "ten_own/2026/11/22/a", "ten_other/2026/11/22/b"


@pytest.fixture
async def split(location: bucket.Location) -> AsyncIterator[objects.Objects]:
    made = objects.Objects(dataclasses.replace(location, of_tenants={"ten_own": f"{location.name}-own"}))
    await made.ensure_bucket()
    await made.ensure_bucket()
    yield made
    made.close()


@pytest.fixture
def own(location: bucket.Location) -> Iterator[conftest.Peek]:
    """What lies in the tenant's own bucket."""
    made = bucket.Bucket(dataclasses.replace(location, name=f"{location.name}-own"))
    yield conftest.Peek(made)
    made.close()


async def chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size):
        yield bytes(1024 * 1024)


async def test_each_object_lies_in_its_tenants_bucket(
    split: objects.Objects, peek: conftest.Peek, own: conftest.Peek
) -> None:
    await split.put(OWN, b"mine", "text/plain")
    await split.put_stream(COMMON, chunks(20), "video/mp4", 2**30)
    assert (await own.keys("ten_own/"), await own.keys("ten_other/")) == ([OWN], [])
    assert (await peek.keys("ten_own/"), await peek.keys("ten_other/")) == ([], [COMMON])
    assert (await split.head(OWN)).size_bytes == 4
    async with httpx.AsyncClient(trust_env=False) as client:
        signed = await client.get(await split.sign(OWN, 60, "a.txt", "text/plain"))
    assert signed.content == b"mine"


async def test_many_are_deleted_whichever_buckets_they_lie_in(
    split: objects.Objects, peek: conftest.Peek, own: conftest.Peek
) -> None:
    await split.put(OWN, b"mine", "text/plain")
    await split.put(COMMON, b"theirs", "text/plain")
    await split.delete([COMMON, OWN, f"{OWN}-never-was"])
    assert await own.keys("ten_own/") + await peek.keys("ten_other/") == []


async def test_what_a_killed_upload_left_is_dropped_in_every_bucket(split: objects.Objects, own: conftest.Peek) -> None:
    client = own.bucket.client
    client.create_multipart_upload(Bucket=own.bucket.of(OWN), Key=OWN)
    assert await split.drop_stale_uploads(datetime.now(UTC) + timedelta(minutes=1)) >= 1
    assert await own.open_uploads("ten_own/") == []


async def test_what_lies_in_the_common_bucket_is_not_found_in_the_own_one(
    split: objects.Objects, store: objects.Objects
) -> None:
    await store.put(f"{OWN}-before", b"x", "text/plain")
    with pytest.raises(troubles.ObjectMissingError):
        await split.head(f"{OWN}-before")

"""A real S3 server (SeaweedFS) for the storage tests, and ways to look behind our own code."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from cli.stack import stack
from shared.storage import bucket, objects

# Set means: used, not started. These tests need neither.
UNUSED = {"GENQUEUE_DATABASE_URL": "postgresql://unused", "GENQUEUE_REDIS_URL": "redis://unused"}


@dataclass(frozen=True)
class Peek:
    """The bucket as another client sees it."""

    bucket: bucket.Bucket

    async def keys(self, prefix: str) -> list[str]:
        answer = await asyncio.to_thread(
            lambda: self.bucket.client.list_objects_v2(Bucket=self.bucket.of(prefix), Prefix=prefix)
        )
        return [found["Key"] for found in answer.get("Contents", [])]

    async def open_uploads(self, prefix: str) -> list[str]:
        answer = await asyncio.to_thread(
            lambda: self.bucket.client.list_multipart_uploads(Bucket=self.bucket.of(prefix), Prefix=prefix)
        )
        return [found["Key"] for found in answer.get("Uploads", [])]


@pytest.fixture(scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[stack.Stack]:
    folder = tmp_path_factory.mktemp("storage") / "data"
    async with stack.Stack(
        data_dir=folder, servers_only=True, usual_ports=False, temporary=True, environ=UNUSED
    ) as running:
        yield running


@pytest.fixture(scope="session")
def location(server: stack.Stack) -> bucket.Location:
    return bucket.Location(
        endpoint_url=server.env["GENQUEUE_S3_ENDPOINT_URL"],
        public_endpoint_url="",
        region="us-east-1",
        name=server.env["GENQUEUE_S3_BUCKET"],
        access_key_id=server.env["GENQUEUE_S3_ACCESS_KEY_ID"],
        secret_access_key=server.env["GENQUEUE_S3_SECRET_ACCESS_KEY"],
    )


@pytest.fixture(scope="session")
def store(location: bucket.Location) -> Iterator[objects.Objects]:
    opened = objects.Objects(location)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def peek(location: bucket.Location) -> Iterator[Peek]:
    opened = bucket.Bucket(location)
    yield Peek(opened)
    opened.close()

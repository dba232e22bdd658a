"""A real S3 server for the storage tests, and ways to look behind our own code.

SeaweedFS is started unless S3_TEST_ENDPOINT names another server; docs/howto/check-an-s3.md says how.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from cli.stack import stack
from shared.storage import bucket, objects

# Set means: used, not started. These tests need neither.
OTHERS = os.environ.get("S3_TEST_ENDPOINT", "")
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
    """Ours to kill and to start again."""
    if OTHERS:
        pytest.skip("S3_TEST_ENDPOINT names a server that is not ours to kill.")
    folder = tmp_path_factory.mktemp("storage") / "data"
    async with stack.Stack(
        data_dir=folder, servers_only=True, usual_ports=False, temporary=True, environ=UNUSED
    ) as running:
        yield running


@pytest.fixture(scope="session")
def location(request: pytest.FixtureRequest) -> bucket.Location:
    if OTHERS:
        return _others()
    server: stack.Stack = request.getfixturevalue("server")
    return bucket.Location(
        endpoint_url=server.env["GENQUEUE_S3_ENDPOINT_URL"],
        public_endpoint_url="",
        region="us-east-1",
        name=server.env["GENQUEUE_S3_BUCKET"],
        access_key_id=server.env["GENQUEUE_S3_ACCESS_KEY_ID"],
        secret_access_key=server.env["GENQUEUE_S3_SECRET_ACCESS_KEY"],
    )


def _others() -> bucket.Location:
    """A server that is not ours to kill; its bucket is there before the tests."""
    return bucket.Location(
        endpoint_url=OTHERS,
        public_endpoint_url="",
        region=os.environ.get("S3_TEST_REGION", "us-east-1"),
        name=os.environ["S3_TEST_BUCKET"],
        access_key_id=os.environ["S3_TEST_ACCESS_KEY_ID"],
        secret_access_key=os.environ["S3_TEST_SECRET_ACCESS_KEY"],
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

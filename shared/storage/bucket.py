"""The line to one bucket: boto3's blocking clients behind a pool of threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent import futures
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore import config, exceptions

from shared import settings
from shared.storage import puts, troubles

if TYPE_CHECKING:
    from mypy_boto3_s3 import client as s3_client

T = TypeVar("T")

THREADS = 16
CONNECT_SECONDS = 3
# Without a byte for this long a request has failed; a whole transfer may take longer.
READ_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Location:
    """Where the bucket is and who may use it. An empty public endpoint means: the same as ours. `of_tenants`: the
    buckets of tenants that have one of their own, at the same place and for the same keys.
    """

    endpoint_url: str
    public_endpoint_url: str
    region: str
    name: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    of_tenants: Mapping[str, str] = field(default_factory=dict)


def location_of(configured: settings.Settings) -> Location:
    """The location a deployment's settings name."""
    return Location(
        endpoint_url=configured.s3_endpoint_url,
        public_endpoint_url=configured.s3_public_endpoint_url,
        region=configured.s3_region,
        name=configured.s3_bucket,
        access_key_id=configured.s3_access_key_id.get_secret_value(),
        secret_access_key=configured.s3_secret_access_key.get_secret_value(),
        of_tenants=configured.s3_tenant_buckets,
    )


class Bucket:
    """One process's clients for a location. Thread-safe; make it once, after any fork."""

    def __init__(self, location: Location) -> None:
        self.names = sorted({location.name, *location.of_tenants.values()})
        self._location = location
        self.region = location.region
        self.client = _client(location, location.endpoint_url)
        public_url = location.public_endpoint_url or location.endpoint_url
        self.public_client = self.client if public_url == location.endpoint_url else _client(location, public_url)
        self.puts = puts.Puts(
            location.endpoint_url, location.region, location.access_key_id, location.secret_access_key
        )
        self._threads = futures.ThreadPoolExecutor(THREADS, thread_name_prefix="storage")

    def of(self, key: str) -> str:
        """The name of the bucket a key lies in: every key begins with its tenant."""
        return self._location.of_tenants.get(key.partition("/")[0], self._location.name)

    async def run(self, call: Callable[[], T]) -> T:
        """`call()` in a thread of the pool, botocore's errors turned into ours."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except (exceptions.BotoCoreError, exceptions.ClientError, exceptions.HTTPClientError) as error:
            raise troubles.of(error) from error

    def close(self) -> None:
        """Let go of threads and connections; calls under way finish by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.puts.close()
        self.client.close()
        self.public_client.close()


def _client(location: Location, endpoint_url: str) -> s3_client.S3Client:
    # Own session: the default one looks for credentials elsewhere and is not safe to make clients from in threads.
    session = boto3.session.Session(
        aws_access_key_id=location.access_key_id,
        aws_secret_access_key=location.secret_access_key,
        region_name=location.region,
    )
    return session.client("s3", endpoint_url=endpoint_url, config=_config())


def _config() -> config.Config:
    return config.Config(
        # Without it boto3 signs URLs of a custom endpoint in us-east-1 the old way: 403.
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        # The default (CRC32 on everything) breaks several S3 servers that are not Amazon's.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=THREADS,
    )

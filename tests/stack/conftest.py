"""Helpers of the stack tests: clients for the three servers, and a supervisor in a process of its own."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import boto3
import botocore.config
import psutil
import pytest
import redis.asyncio
import tenacity

from cli.stack import folders, stack

if TYPE_CHECKING:
    import mypy_boto3_s3  # types only: the stubs are not installed everywhere

HOLD = Path(__file__).with_name("hold.py")
DEADLINE_SECONDS = 40


@dataclass(frozen=True)
class Clients:
    """The three servers as any client meets them: only the settings are known."""

    env: Mapping[str, str]

    async def connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(self.env["GENQUEUE_DATABASE_URL"].replace("+asyncpg", ""), timeout=5)

    async def query(self, sql: str, *arguments: object) -> object:
        connection = await self.connect()
        try:
            return await connection.fetchval(sql, *arguments)
        finally:
            await connection.close(timeout=5)

    def redis(self) -> redis.asyncio.Redis:
        return redis.asyncio.from_url(self.env["GENQUEUE_REDIS_URL"], socket_timeout=0.5, decode_responses=True)

    async def ping(self) -> bool:
        async with self.redis() as client:
            return bool(await client.ping())

    def s3(self, secret: str = "") -> "mypy_boto3_s3.S3Client":
        return boto3.client(
            "s3",
            endpoint_url=self.env["GENQUEUE_S3_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id=self.env["GENQUEUE_S3_ACCESS_KEY_ID"],
            aws_secret_access_key=secret or self.env["GENQUEUE_S3_SECRET_ACCESS_KEY"],
            config=botocore.config.Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )

    async def put(self, key: str, body: bytes) -> None:
        bucket = self.env["GENQUEUE_S3_BUCKET"]
        await asyncio.to_thread(self.s3().put_object, Bucket=bucket, Key=key, Body=body)

    async def get(self, key: str) -> bytes:
        bucket = self.env["GENQUEUE_S3_BUCKET"]
        answer = await asyncio.to_thread(self.s3().get_object, Bucket=bucket, Key=key)
        return bytes(await asyncio.to_thread(answer["Body"].read))


@dataclass(frozen=True)
class Held:
    """`genqueue up` for the servers alone, in a process of its own."""

    process: subprocess.Popen[str]
    data_dir: Path

    @property
    def clients(self) -> Clients:
        lines = (self.data_dir / "env").read_text().splitlines()
        return Clients({name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)})

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture(scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[stack.Stack]:
    folder = tmp_path_factory.mktemp("servers") / "data"
    async with stack.Stack(data_dir=folder, servers_only=True, usual_ports=False, temporary=True) as running:
        yield running


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[..., Held]]:
    """Starts a supervisor and returns once it has printed its line; ends what a test left running."""
    started: list[Held] = []

    def start(
        data_dir: Path = tmp_path / "data",
        command: tuple[str, ...] = (sys.executable,),
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Held:
        argv = [*command, str(HOLD), str(data_dir)]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env, cwd=cwd)
        started.append(Held(process, data_dir))
        assert process.stdout
        assert "genqueue is ready at http://127.0.0.1:" in process.stdout.readline()
        return started[-1]

    yield start
    for held in started:
        held.process.terminate()
        held.process.wait(DEADLINE_SECONDS)
        if held.process.stdout:
            held.process.stdout.close()
    for held in started:
        folders.DataFolder(held.data_dir).delete()


def still_there(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that run. Zombies do not: their parent was killed and PID 1 of a container may never collect them."""
    return [process for process in processes if process.is_running() and _status(process) != psutil.STATUS_ZOMBIE]


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return psutil.STATUS_ZOMBIE


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Repeats an assertion until it holds or the deadline is over."""

    async def repeat(check: Callable[[], Awaitable[None] | None]) -> None:
        async for attempt in tenacity.AsyncRetrying(
            wait=tenacity.wait_fixed(0.05), stop=tenacity.stop_after_delay(DEADLINE_SECONDS), reraise=True
        ):
            with attempt:
                if (later := check()) is not None:
                    await later

    return repeat


@pytest.fixture
def gone(eventually: Callable[..., Any]) -> Callable[..., Any]:
    """Waits until none of these processes runs any more."""

    async def wait(processes: list[psutil.Process]) -> None:
        def check() -> None:
            assert still_there(processes) == []

        await eventually(check)

    return wait


@pytest.fixture
def clients() -> Callable[[stack.Stack], Clients]:
    return lambda running: Clients(running.env)

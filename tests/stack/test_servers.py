"""The three real servers: they answer as promised, to us alone, on loopback alone."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import botocore.exceptions
import httpx
import psutil
import pytest
import redis.exceptions

from cli.stack import stack


async def test_postgres_is_18_and_safe(servers: stack.Stack, clients: Callable[..., Any]) -> None:
    client = clients(servers)
    assert (await client.query("SELECT version()")).startswith("PostgreSQL 18.")
    assert await client.query("SHOW fsync") == "on"
    assert await client.query("SHOW server_encoding") == "UTF8"
    assert await client.query("SELECT current_database()") == "genqueue"


async def test_postgres_refuses_a_wrong_password(servers: stack.Stack) -> None:
    url = servers.env["GENQUEUE_DATABASE_URL"].replace("+asyncpg", "").replace("genqueue:", "genqueue:x", 1)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(url)


async def test_redis_keeps_what_it_is_given(servers: stack.Stack, clients: Callable[..., Any]) -> None:
    async with clients(servers).redis() as client:
        assert await client.ping()
        assert (await client.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"
        assert (await client.config_get("appendfsync"))["appendfsync"] == "everysec"
        assert (await client.config_get("appendonly"))["appendonly"] == "yes"


async def test_redis_refuses_strangers(servers: stack.Stack) -> None:
    url = servers.env["GENQUEUE_REDIS_URL"].partition("@")[2]
    async with redis.asyncio.from_url(f"redis://{url}") as client:
        with pytest.raises(redis.exceptions.AuthenticationError):
            await client.ping()


async def test_s3_stores_and_signs(servers: stack.Stack, clients: Callable[..., Any]) -> None:
    client, bucket = clients(servers), servers.env["GENQUEUE_S3_BUCKET"]
    await client.put("a/b.bin", b"\x00bytes\xff")
    assert await client.get("a/b.bin") == b"\x00bytes\xff"
    signed = client.s3().generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a/b.bin"})
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(signed)).content == b"\x00bytes\xff"
        assert (await http.get(f"{servers.env['GENQUEUE_S3_ENDPOINT_URL']}/{bucket}/a/b.bin")).status_code == 403


async def test_s3_refuses_a_wrong_key(servers: stack.Stack, clients: Callable[..., Any]) -> None:
    stranger = clients(servers).s3(secret="wrong")
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        stranger.list_objects_v2(Bucket=servers.env["GENQUEUE_S3_BUCKET"])
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_everything_listens_on_loopback_only(servers: stack.Stack) -> None:
    addresses = {
        connection.laddr.ip
        for pid in servers.pids.values()
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_secrets_are_private_and_not_in_view(servers: stack.Stack) -> None:
    folder = servers.folder
    secrets = [path.read_text() for path in (folder.path / "secrets").iterdir()]
    assert {path.stat().st_mode & 0o777 for path in (folder.env_file, folder.admin_key_file)} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (folder.path / "secrets").iterdir()} == {0o600}
    seen = folder.state_file.read_text() + "".join(
        " ".join(psutil.Process(pid).cmdline()) for pid in servers.pids.values()
    )
    assert not [secret for secret in [*secrets, servers.admin_key] if secret in seen]


def test_stack_json_names_every_process(servers: stack.Stack) -> None:
    state = servers.folder.read_state()
    assert state["pids"] == servers.pids
    assert set(servers.pids) == {"postgres", "redis", "s3"}
    assert state["supervisor_pid"] == os.getpid()
    assert state["base_url"] == servers.base_url


async def test_two_stacks_side_by_side(servers: stack.Stack, clients: Callable[..., Any], tmp_path: Path) -> None:
    async with stack.Stack(data_dir=tmp_path / "data", servers_only=True, temporary=True) as other:
        await clients(servers).put("whose", b"first")
        await clients(other).put("whose", b"second")
        assert await clients(servers).get("whose") == b"first"
        assert await clients(other).query("SELECT 1") == 1
        assert await clients(other).ping()
        theirs, ours = other.folder.read_state()["ports"], servers.folder.read_state()["ports"]
        servers_only = {"postgres", "redis", "s3.port", "filer.port", "admin.port"}
        assert not {theirs[name] for name in servers_only} & {ours[name] for name in servers_only}
    assert not (tmp_path / "data").exists()

"""Starting, dying, stopping: data stay, nothing is left behind, faults say what happened."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis.exceptions

from cli.stack import faults, folders, installs, ports, stack


def servers_in(
    folder: Path, *, temporary: bool = False, external: bool = False, environ: Mapping[str, str] | None = None
) -> stack.Stack:
    return stack.Stack(
        data_dir=folder,
        servers_only=True,
        usual_ports=False,
        temporary=temporary,
        external=external,
        environ=environ or {},
    )


async def test_a_second_start_finds_the_data(tmp_path: Path, clients: Callable[..., Any]) -> None:
    async with servers_in(tmp_path / "data") as first:
        await clients(first).query("CREATE TABLE kept AS SELECT 42 AS answer")
        await clients(first).put("kept", b"object")
        async with clients(first).redis() as client:
            await client.set("kept", "value")
    async with servers_in(tmp_path / "data", temporary=True) as second:
        assert second.env == first.env
        assert await clients(second).query("SELECT answer FROM kept") == 42
        assert await clients(second).get("kept") == b"object"
        async with clients(second).redis() as client:
            assert await client.get("kept") == "value"


async def test_data_survive_new_ports(tmp_path: Path, clients: Callable[..., Any]) -> None:
    async with servers_in(tmp_path / "data") as first:
        await clients(first).put("kept", b"object")
    (tmp_path / "data" / "stack.json").unlink()
    async with servers_in(tmp_path / "data", temporary=True) as second:
        assert second.env["GENQUEUE_S3_ENDPOINT_URL"] != first.env["GENQUEUE_S3_ENDPOINT_URL"]
        assert await clients(second).get("kept") == b"object"
        await clients(second).put("new", b"more")
        assert await clients(second).get("new") == b"more"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_stops_everything(hold: Callable[..., Any], gone: Callable[..., Any], number: int) -> None:
    held = hold()
    family = held.descendants()
    assert {"postgres", "redis-server", "weed"} <= {process.name() for process in family}
    held.process.send_signal(number)
    assert held.process.wait(40) == 0
    await gone(family)
    # "shut down" in the log means that Postgres was asked, not killed
    assert "database system is shut down" in (held.data_dir / "logs" / "postgres.log").read_text()


async def test_kill_9_of_the_supervisor_leaves_nothing(hold: Callable[..., Any], gone: Callable[..., Any]) -> None:
    held = hold()
    family = held.descendants()
    held.process.kill()
    held.process.wait()
    await gone(family)
    again = hold(held.data_dir)  # the lock is free again
    assert await again.clients.query("SELECT 1") == 1


async def test_kill_9_right_at_the_start_leaves_nothing(tmp_path: Path, gone: Callable[..., Any]) -> None:
    for _ in range(3):
        await gone(_killed_while_starting(tmp_path / "data"))
    async with servers_in(tmp_path / "data", temporary=True) as running:
        assert set(running.pids) == {"postgres", "redis", "s3"}


def _killed_while_starting(data_dir: Path) -> list[psutil.Process]:
    """Everything that ran when the supervisor was killed, as soon as the first server had appeared."""
    hold = Path(__file__).with_name("hold.py")
    with subprocess.Popen([sys.executable, str(hold), str(data_dir)], stdout=subprocess.DEVNULL) as process:
        family: list[psutil.Process] = []
        while len(family) < 3:  # the watchdog and two more
            assert process.poll() is None
            family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    return family


async def test_two_on_one_folder(servers: stack.Stack) -> None:
    second = servers_in(servers.data_dir)
    with pytest.raises(faults.StackError, match=rf"Another `genqueue up` \(pid {os.getpid()}\).*--data-dir"):
        await second.start()
    assert set(servers.pids) == {"postgres", "redis", "s3"}


@pytest.mark.parametrize("name", ["postgres", "redis", "s3"])
async def test_killed_servers_come_back_by_themselves(
    servers: stack.Stack, clients: Callable[..., Any], eventually: Callable[..., Any], name: str
) -> None:
    before, client = servers.pids[name], clients(servers)
    await client.put(f"before-{name}", b"kept")
    os.kill(before, signal.SIGKILL)

    async def works() -> None:
        assert servers.pids.get(name, before) != before
        assert await client.query("SELECT 1") == 1
        assert await client.ping()
        assert await client.get(f"before-{name}") == b"kept"

    await eventually(works)
    assert servers.folder.read_state()["pids"][name] == servers.pids[name]


@pytest.mark.parametrize("name", ["postgres", "redis", "s3"])
async def test_a_server_stays_down_until_restart(servers: stack.Stack, clients: Callable[..., Any], name: str) -> None:
    await servers.kill(name)
    assert name not in servers.pids
    assert name not in servers.folder.read_state()["pids"]
    await servers.restart(name)
    client = clients(servers)
    assert await client.query("SELECT 1") == 1
    assert await client.ping()
    await client.put("after", b"restart")


async def test_pause_freezes_and_resume_thaws(servers: stack.Stack, clients: Callable[..., Any]) -> None:
    client = clients(servers)
    servers.pause("redis")
    servers.pause("postgres")
    with pytest.raises(redis.exceptions.TimeoutError):
        await client.ping()
    statuses = {psutil.Process(servers.pids[name]).status() for name in ("redis", "postgres")}
    assert statuses == {psutil.STATUS_STOPPED}
    servers.resume("redis")
    servers.resume("postgres")
    assert await client.ping()
    assert await client.query("SELECT 1") == 1


async def test_a_failed_start_shows_the_log_and_leaves_nothing(tmp_path: Path) -> None:
    async with servers_in(tmp_path / "data"):
        pass
    (tmp_path / "data" / "postgres" / "data" / "PG_VERSION").write_text("9\n")
    # Ours, not theirs: backends of another test's Postgres come and go.
    broken, before = servers_in(tmp_path / "data", temporary=True), psutil.Process().children()
    with pytest.raises(faults.StartError, match="initialized by PostgreSQL version 9") as fault:
        await broken.start()
    assert "postgres.log" in str(fault.value)
    assert psutil.Process().children() == before


async def test_a_port_lost_to_another_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clients: Callable[..., Any]
) -> None:
    """The look said free, the bind says taken: what happens when two programs start at once."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        honest = ports.is_free
        monkeypatch.setattr(ports, "is_free", lambda asked: asked == port or honest(asked))
        (tmp_path / "data").mkdir(mode=0o711)
        for name in ("postgres", "redis", "s3.port"):
            state = f'{{"ports": {{"{name}": {port}}}}}'
            (tmp_path / "data" / "stack.json").write_text(state)
            async with servers_in(tmp_path / "data") as running:
                assert running.folder.read_state()["ports"][name] != port
                assert await clients(running).query("SELECT 1") == 1
    running.folder.delete()


async def test_a_server_that_exists_is_used(servers: stack.Stack, tmp_path: Path) -> None:
    given = {name: servers.env[name] for name in ("GENQUEUE_DATABASE_URL", "GENQUEUE_REDIS_URL")}
    async with servers_in(tmp_path / "data", environ=given, temporary=True) as other:
        assert set(other.pids) == {"s3"}
        assert given.items() <= other.env.items()


async def test_external_names_what_is_missing(tmp_path: Path) -> None:
    lonely = servers_in(tmp_path / "data", external=True, environ={"GENQUEUE_REDIS_URL": "redis://x"}, temporary=True)
    with pytest.raises(faults.StackError, match="GENQUEUE_DATABASE_URL, GENQUEUE_S3_BUCKET"):
        await lonely.start()


async def test_a_preset_admin_key_is_kept(servers: stack.Stack, tmp_path: Path) -> None:
    made = {"GENQUEUE_ADMIN_KEY", "GENQUEUE_SECRET_KEY"}
    given = {name: value for name, value in servers.env.items() if name not in made}
    preset = given | {"GENQUEUE_ADMIN_KEY": "preset-key-of-mine"}
    async with servers_in(tmp_path / "data", external=True, environ=preset) as running:
        assert running.admin_key == "preset-key-of-mine"
        assert not running.folder.admin_key_file.exists()
    async with servers_in(tmp_path / "data", external=True, environ=given) as running:
        generated = running.admin_key
        seal = running.env["GENQUEUE_SECRET_KEY"]
    async with servers_in(tmp_path / "data", external=True, environ=given) as running:
        assert running.admin_key == generated
        # What was sealed before the restart can still be opened.
        assert running.env["GENQUEUE_SECRET_KEY"] == seal != ""


def test_deleting_leaves_nothing_in_the_system_folder(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root keeps Postgres data outside the data folder")
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    place, _ = installs.place(folder)
    assert place.is_relative_to(installs.SYSTEM_FOLDER)
    folders.DataFolder(folder).delete()
    assert not place.exists()
    assert not folder.exists()

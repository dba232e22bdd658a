"""How our own processes are run. Small real programs stand in for them; the servers are the real three."""

import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from cli import up
from cli.stack import children, faults, folders, processes, stack, supervisor

WEB = processes.Process(
    name="api",
    argv=("python", "-m", "http.server", "--bind", "{host}", "{port}"),
    stage=2,
    health="http://{host}:{port}/",
)
ONCE = processes.Process(
    name="migrate",
    argv=("python", "-c", "import os; open('migrated', 'w').write(os.environ['GENQUEUE_DATABASE_URL'])"),
    stage=1,
    once=True,
)
# Fails unless the one-shot ran before it; leaves a child in its group.
WORKER = processes.Process(
    name="worker",
    argv=(
        *("python", "-c"),
        "import signal, subprocess; open('migrated').close(); subprocess.Popen(['sleep', '600']); signal.pause()",
    ),
    stage=2,
    scales=True,
)
OPTIONAL = processes.Process(name="flower", argv=("sleep", "600"), stage=2, optional=True)
FAILING = processes.Process(
    name="migrate", argv=("python", "-c", "raise SystemExit('no such table')"), stage=1, once=True
)


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(processes, "ALL", (WEB, ONCE, WORKER, OPTIONAL))
    return tmp_path


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
async def running(servers: stack.Stack, in_folder: Path, lines: list[str]) -> AsyncIterator[stack.Stack]:
    whole = stack.Stack(
        data_dir=in_folder / "data",
        workers=2,
        external=True,
        usual_ports=False,
        environ=servers.env,
        say=lines.append,
    )
    async with whole:
        yield whole


async def test_all_run_and_the_one_shot_ran_first(servers: stack.Stack, running: stack.Stack, in_folder: Path) -> None:
    assert set(running.pids) == {"api", "worker-1", "worker-2"}
    assert (in_folder / "migrated").read_text() == servers.env["GENQUEUE_DATABASE_URL"]
    port = running.folder.read_state()["ports"]["api"]
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 200
    assert "GET /" in (in_folder / "data" / "logs" / "api.log").read_text()


async def test_the_ready_line_tells_where_the_key_is_but_not_the_key(running: stack.Stack) -> None:
    line = up.ready_line(running)
    assert running.base_url in line
    assert "GENQUEUE_ADMIN_KEY" in line
    assert running.admin_key not in line
    assert "\n" not in line


async def test_a_dead_process_comes_back_loudly(
    running: stack.Stack, lines: list[str], eventually: Callable[..., Any], gone: Callable[..., Any]
) -> None:
    first = psutil.Process(running.pids["worker-1"])

    def has_child() -> None:
        assert first.children()

    await eventually(has_child)
    family = [first, *first.children()]
    os.kill(first.pid, signal.SIGKILL)

    def came_back() -> None:
        assert running.pids.get("worker-1", first.pid) != first.pid

    await eventually(came_back)
    await gone(family)  # the child it had left behind went too
    assert "worker-1 was ended by SIGKILL; starting it again in 0.5 s" in lines[0]
    assert "worker-1.log" in lines[0]


async def test_killed_workers_stay_down_until_restart(running: stack.Stack, lines: list[str]) -> None:
    for name in ("worker-1", "worker-2"):
        await running.kill(name)
    assert set(running.pids) == {"api"}
    for name in ("worker-1", "worker-2"):
        await running.restart(name)
    assert set(running.pids) == {"api", "worker-1", "worker-2"}
    assert lines == []


async def test_flower_only_when_asked(servers: stack.Stack, in_folder: Path) -> None:
    async with stack.Stack(
        data_dir=in_folder / "data", flower=True, external=True, usual_ports=False, environ=servers.env
    ) as whole:
        assert set(whole.pids) == {"api", "worker-1", "flower"}


async def test_a_failing_one_shot_stops_the_start(
    servers: stack.Stack, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "ALL", (WEB, FAILING))
    whole = stack.Stack(data_dir=in_folder / "data", external=True, usual_ports=False, environ=servers.env)
    with pytest.raises(faults.StartError, match=r"migrate ended with code 1(.|\n)*no such table"):
        await whole.start()
    assert whole.pids == {}


async def test_ours_never_see_the_settings_of_our_own_environment(
    servers: stack.Stack, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENQUEUE_DATABASE_URL", "postgresql+asyncpg://production/")
    monkeypatch.setenv("GENQUEUE_LOG_LEVEL", "debug")
    dump = processes.Process(
        name="dump",
        argv=("python", "-c", "import os; open('seen', 'w').write(repr(dict(os.environ)))"),
        stage=1,
        once=True,
    )
    monkeypatch.setattr(processes, "ALL", (dump,))
    async with stack.Stack(data_dir=in_folder / "data", external=True, environ=servers.env):
        seen = (in_folder / "seen").read_text()
    assert "production" not in seen
    assert "GENQUEUE_LOG_LEVEL" not in seen
    assert servers.env["GENQUEUE_REDIS_URL"] in seen


async def test_what_ignores_the_request_is_killed_after_the_grace_time(tmp_path: Path) -> None:
    folder = folders.DataFolder(tmp_path / "data")
    folder.open()
    keeper = supervisor.Supervisor(folder, say=print, changed=lambda: None)
    keeper.open()
    stubborn = children.Command(
        name="stubborn",
        argv=("/bin/sh", "-c", 'trap "" TERM; touch "$0"; while :; do sleep 600; done', str(tmp_path / "trapped")),
        env={"PATH": os.environ["PATH"]},
        stage=2,
        grace_seconds=0.2,
    )

    async def trapped() -> bool:
        return (tmp_path / "trapped").exists()

    await keeper.start(stubborn, trapped)
    process = psutil.Process(keeper.pids["stubborn"])
    await keeper.stop()
    folder.close()
    assert not process.is_running()

"""Processes forked from an interpreter that has imported all they need: like any other that is started, and kept."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.stack import children, faults, folders, processes, supervisor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="here each process starts by itself")
TOLD = "tests.stack.told"
HOLD_FORKED = Path(__file__).with_name("hold_forked.py")
DEADLINE_SECONDS = 40


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
async def keeper(tmp_path: Path, lines: list[str]) -> AsyncIterator[supervisor.Supervisor]:
    folder = folders.DataFolder(tmp_path / "data")
    folder.open()
    made = supervisor.Supervisor(folder, say=lines.append, changed=lambda: None)
    made.open()
    yield made
    await made.stop()
    folder.close()


@pytest.fixture
async def waiting(keeper: supervisor.Supervisor) -> psutil.Process:
    """The interpreter that imports ahead, which nobody counts as running."""
    return await import_ahead(keeper, "http.server")


async def import_ahead(keeper: supervisor.Supervisor, *modules: str) -> psutil.Process:
    others = set(psutil.Process().children())
    await keeper.import_ahead(modules, {"PATH": os.environ["PATH"], "EARLY": "1"})
    assert keeper.pids == {}
    [waiting] = set(psutil.Process().children()) - others
    return waiting


def command(*argv: str, ahead: tuple[str, ...] = ("http.server",), **env: str) -> children.Command:
    environ = {"PATH": os.environ["PATH"], **env}
    return children.Command("web", (sys.executable, "-m", *argv), environ, stage=1, ahead=ahead)


async def told(keeper: supervisor.Supervisor, *argv: str, ahead: tuple[str, ...] = ("http.server",)) -> dict[str, Any]:
    """What told.py says it was told, once its exit code is known."""
    with pytest.raises(faults.StartError, match="code 7"):
        await keeper.run(command(TOLD, *argv, ahead=ahead, LATE="2"))
    said: dict[str, Any] = json.loads((keeper.folder.logs / "web.log").read_text())
    return said


async def test_it_becomes_the_program_with_the_arguments_and_the_environment_it_is_told(
    keeper: supervisor.Supervisor, waiting: psutil.Process
) -> None:
    said = await told(keeper, "--port", "1")
    pid = said.pop("pid")
    assert (said.pop("group"), said.pop("session"), said.pop("name")) == (pid, pid, "web")
    assert said == {"argv": ["--port", "1"], "early": None, "late": "2", "imported": True, "input": ""}
    assert pid != waiting.pid
    assert (keeper.folder.logs / "ahead.log").read_text() == ""


async def test_it_is_our_child_and_starts_again_by_itself_when_it_ends(
    keeper: supervisor.Supervisor, waiting: psutil.Process, lines: list[str], eventually: Callable[..., Any]
) -> None:
    await keeper.start(command("http.server", "--bind", "127.0.0.1", "0"))
    first = psutil.Process(keeper.pids["web"])
    assert (first.ppid(), first.name()) == (os.getpid(), "web")
    await keeper.end_ahead()
    assert not waiting.is_running()
    first.send_signal(signal.SIGKILL)

    def came_back() -> None:
        assert keeper.pids.get("web", first.pid) != first.pid

    await eventually(came_back)
    assert not first.is_running()
    assert "web was ended by SIGKILL; starting it again" in lines[0]


async def test_it_stops_when_it_is_asked_to(keeper: supervisor.Supervisor, waiting: psutil.Process) -> None:
    await keeper.start(command("http.server", "--bind", "127.0.0.1", "0"))
    forked = psutil.Process(keeper.pids["web"])
    await keeper.stop()
    assert not forked.is_running()
    assert not waiting.is_running()


async def test_without_the_interpreter_it_starts_by_itself(
    keeper: supervisor.Supervisor, waiting: psutil.Process, gone: Callable[..., Any]
) -> None:
    waiting.send_signal(signal.SIGKILL)
    await gone([waiting])
    assert (await told(keeper, "again"))["argv"] == ["again"]


async def test_when_the_interpreter_dies_on_the_way_it_starts_by_itself_and_once(
    keeper: supervisor.Supervisor, waiting: psutil.Process
) -> None:
    waiting.suspend()
    asked = asyncio.create_task(told(keeper, "again"))
    await asyncio.sleep(0)  # it has asked, and waits for the answer
    waiting.kill()
    assert (await asked)["argv"] == ["again"]


async def test_when_the_interpreter_dies_as_it_forks_the_process_is_started_once(
    keeper: supervisor.Supervisor, waiting: psutil.Process, gone: Callable[..., Any]
) -> None:
    """Its pid is told by the process itself; that there is none is known only when none of the three is left."""
    others = set(psutil.Process().children())
    said = await told(keeper, "once", ahead=("http.server", "tests.stack.dies_when_it_forks"))
    assert (said["argv"], said["imported"]) == (["once"], True)
    await gone([waiting])
    # The one between them is nobody's to wait for but ours.
    psutil.wait_procs(set(psutil.Process().children()) - others, DEADLINE_SECONDS)


@pytest.mark.parametrize(
    ("module", "reason"), [("tests.stack.starts_a_thread", "has started a thread"), ("no_such", "ModuleNotFoundError")]
)
async def test_where_forking_is_not_safe_it_starts_by_itself(
    keeper: supervisor.Supervisor, module: str, reason: str
) -> None:
    await import_ahead(keeper, module)
    assert (await told(keeper, "alone"))["imported"] is False
    assert reason in (keeper.folder.logs / "ahead.log").read_text()


def orphan() -> psutil.Process:
    return psutil.Process(int(subprocess.check_output(["/bin/sh", "-c", "sleep 600 >&- & echo $!"])))


async def test_where_the_kernel_does_not_give_orphans_it_starts_by_itself(
    keeper: supervisor.Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> int:
        raise OSError("no such call here")

    others = psutil.Process().children()
    monkeypatch.setattr(os, "pidfd_open", refuse)
    await keeper.import_ahead(["http.server"], {"PATH": os.environ["PATH"]})
    assert psutil.Process().children() == others
    assert (await told(keeper, "alone"))["imported"] is False


async def test_orphans_are_ours_only_while_there_is_somebody_to_fork(keeper: supervisor.Supervisor) -> None:
    await import_ahead(keeper, "http.server")
    await keeper.end_ahead()
    left = orphan()
    try:
        assert left.ppid() != os.getpid()
    finally:
        left.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
async def test_nothing_is_left_of_a_stack_that_is_ended(
    tmp_path: Path, gone: Callable[..., Any], number: signal.Signals
) -> None:
    held = _held(tmp_path / "data")
    with held:
        assert held.stdout
        assert "genqueue is ready" in held.stdout.readline()
        family = psutil.Process(held.pid).children(recursive=True)
        assert "web" in {process.name() for process in family}
        held.send_signal(number)
        assert held.wait(DEADLINE_SECONDS) == (-number if number == signal.SIGKILL else 0)
    await gone(family)


async def test_nothing_is_left_of_a_stack_that_is_killed_while_it_forks(
    tmp_path: Path, gone: Callable[..., Any], eventually: Callable[..., Any]
) -> None:
    with _held(tmp_path / "data") as held:
        supervising = psutil.Process(held.pid)

        def is_forked() -> None:
            assert "web" in {process.name() for process in supervising.children()}

        await eventually(is_forked)
        family = supervising.children(recursive=True)
        held.kill()
    await gone(family)


def _held(data_dir: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, str(HOLD_FORKED), str(data_dir)], stdout=subprocess.PIPE, text=True)


def test_nothing_imported_ahead_reads_a_setting_or_starts_a_thread() -> None:
    # `workers.app` makes itself from the settings when it is imported.
    code = (
        "import sys, importlib, os; [importlib.import_module(name) for name in sys.argv[1:]];"
        "print(len(os.listdir('/proc/self/task')), *sys.modules)"
    )
    environ = {**os.environ, "GENQUEUE_DATABASE_POOL_SIZE": "none at all"}
    modules = [name for process in processes.ALL for name in process.ahead]
    done = subprocess.run(
        [sys.executable, "-c", code, *modules], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    threads, *imported = done.stdout.split()
    assert threads == "1"
    assert "workers.app" not in imported

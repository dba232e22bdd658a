"""Interpreters that import while the servers start: they become the program, or end, and never read a setting early."""

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

MODULES = ("http.server",)


@pytest.fixture
async def keeper(tmp_path: Path) -> AsyncIterator[supervisor.Supervisor]:
    folder = folders.DataFolder(tmp_path / "data")
    folder.open()
    made = supervisor.Supervisor(folder, say=print, changed=lambda: None)
    made.open()
    yield made
    await made.stop()
    folder.close()


def command(*argv: str, **env: str) -> children.Command:
    return children.Command("web", (sys.executable, *argv), {"PATH": os.environ["PATH"], **env}, stage=1)


def log_of(keeper: supervisor.Supervisor) -> str:
    return (keeper.folder.logs / "web.log").read_text()


async def sent_ahead(keeper: supervisor.Supervisor) -> psutil.Process:
    """The interpreter that waits, which nobody counts as running yet."""
    others = set(psutil.Process().children())
    await keeper.send_ahead(command(EARLY="1"), MODULES)
    assert keeper.pids == {}
    [waiting] = set(psutil.Process().children()) - others
    return waiting


async def test_it_becomes_the_program_with_the_arguments_and_the_environment_it_is_told(
    keeper: supervisor.Supervisor,
) -> None:
    waiting = await sent_ahead(keeper)
    with pytest.raises(faults.StartError, match="code 7"):
        await keeper.run(command("-m", "tests.stack.told", "--port", "1", LATE="2"))
    assert log_of(keeper).split() == [str(waiting.pid), "--port", "1", "None", "2", "True"]


async def test_one_that_has_died_meanwhile_is_replaced(keeper: supervisor.Supervisor, gone: Callable[..., Any]) -> None:
    waiting = await sent_ahead(keeper)
    waiting.send_signal(signal.SIGKILL)
    await gone([waiting])
    with pytest.raises(faults.StartError, match="code 7"):
        await keeper.run(command("-m", "tests.stack.told", "again"))
    pid, said, *_ = log_of(keeper).split()
    assert (int(pid) != waiting.pid, said) == (True, "again")


async def test_one_that_was_never_needed_is_ended(keeper: supervisor.Supervisor) -> None:
    waiting = await sent_ahead(keeper)
    await keeper.stop()
    assert not waiting.is_running()


@pytest.mark.parametrize("process", [each for each in processes.ALL if each.ahead], ids=lambda each: each.name)
def test_nothing_imported_ahead_reads_a_setting(process: processes.Process) -> None:
    # `workers.app` makes itself from the settings when it is imported.
    code = "import sys, importlib; [importlib.import_module(name) for name in sys.argv[1:]]; print(*sys.modules)"
    environ = {**os.environ, "GENQUEUE_DATABASE_POOL_SIZE": "none at all"}
    done = subprocess.run(
        [sys.executable, "-c", code, *process.ahead], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "workers.app" not in done.stdout.split()

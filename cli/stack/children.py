"""One program we started: its command, its log, its process group."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cli.stack import accounts

LAUNCH = Path(__file__).with_name("launch.py")
TAIL_LINES = 15
DEVNULL = asyncio.subprocess.DEVNULL


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. Stages start upwards and stop downwards; `env` is the whole environment."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    stage: int
    folder: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 20.0
    account: accounts.Account | None = None
    ahead: tuple[str, ...] = ()  # what a `python -m …` imports: it may be forked where that is done already


@dataclass(frozen=True, slots=True)
class Descriptors:
    """`report` is the watchdog's pipe; `lock` is inherited, so the data stay locked while anything runs."""

    report: int
    lock: int


class Running(Protocol):
    """What we need of a process, whoever started it: asyncio's own is one."""

    @property
    def pid(self) -> int:
        """Its id."""

    @property
    def returncode(self) -> int | None:
        """None until the event loop knows that it has ended."""

    async def wait(self) -> int:
        """Its exit code, or minus the signal that ended it, once it has ended."""


@dataclass(slots=True)
class Child:
    """A running program, the leader of its own session and process group."""

    command: Command
    log: Path
    log_offset: int
    process: Running

    @property
    def pid(self) -> int:
        """Also the id of its group and session; the program keeps it from launch.py on."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet, as far as the event loop knows."""
        return self.process.returncode is None

    def signal_group(self, number: int) -> None:
        """Reaches the program and the children that stayed in its group; nothing happens if all are gone."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def stop(self) -> None:
        """Asks, waits for the grace time, then kills the whole group. May be repeated."""
        self.signal_group(signal.SIGCONT)  # a paused program cannot hear the request
        self.signal_group(self.command.stop_signal)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), self.command.grace_seconds)
        self.signal_group(signal.SIGKILL)
        await self.process.wait()

    def tail(self) -> str:
        """The last lines this program wrote since it was started."""
        with self.log.open("rb") as file:
            file.seek(self.log_offset)
            text = file.read().decode(errors="replace")
        return "\n".join(text.strip().splitlines()[-TAIL_LINES:])


async def start(command: Command, log: Path, descriptors: Descriptors, stdin: int = DEVNULL) -> Child:
    """Starts the program with its output at the end of `log`. The watchdog knows it before it runs."""
    account = f"{command.account.uid}:{command.account.gid}" if command.account else ""
    told = (str(descriptors.report), str(int(command.stop_signal)), str(command.stage), account)
    with log.open("ab") as output:
        offset = output.tell()  # before the start: the position is shared with the program
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(LAUNCH), *told, *command.argv),
            stdin=stdin,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            cwd=command.folder,
            env=dict(command.env),
            start_new_session=True,
            pass_fds=(descriptors.report, descriptors.lock),
        )
        return Child(command, log, offset, process)

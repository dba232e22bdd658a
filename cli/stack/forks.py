"""Processes forked from the interpreter that imports ahead (ahead.py), and still children of ours.

Where the kernel does not give a grandchild to us when its parent ends (Linux does, if it is asked to), there is no such
interpreter, and each process starts by itself.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.stack import ahead, children

SET_CHILD_SUBREAPER = 36  # of prctl(2)
STAGE = 99  # whatever happens, it stops before what it forks


class Forked:
    """A child of ours that we did not start: as much of asyncio's `Process` as we need."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = asyncio.Event()
        self._descriptor = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(self._descriptor, self._collect)

    async def wait(self) -> int:
        """Its exit code, or minus the signal that ended it, once it has ended."""
        await self._ended.wait()
        return self.returncode or 0

    def _collect(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        os.close(self._descriptor)
        _, status = os.waitpid(self.pid, 0)
        self.returncode = os.waitstatus_to_exitcode(status)
        self._ended.set()


@dataclass(slots=True)
class Forker:
    """The interpreter and our end of its socket. It may die at any time: then nothing more is forked."""

    child: children.Child
    line: socket.socket

    async def fork(
        self, command: children.Command, log: Path, descriptors: children.Descriptors
    ) -> children.Child | None:
        """Starts a `python -m …`, as `children.start` does. None when the interpreter has died."""
        asked = ahead.Asked(
            name=command.name,
            argv=list(command.argv[2:]),
            env=dict(command.env),
            modules=list(command.ahead),
            stop_signal=command.stop_signal,
            stage=command.stage,
        )
        answer, its = socket.socketpair()
        answer.settimeout(0)
        with answer, log.open("ab") as output:
            offset = output.tell()
            with its, contextlib.suppress(OSError):
                socket.send_fds(self.line, [asked.packet()], [descriptors.report, output.fileno(), its.fileno()])
            pid = await asyncio.get_running_loop().sock_recv(answer, 64)
        return children.Child(command, log, offset, Forked(int(pid))) if pid else None

    async def stop(self) -> None:
        """Ends it. What it has forked goes on. May be repeated."""
        self.line.close()
        await self.child.stop()
        _adopt(orphans=False)


async def start(
    modules: Sequence[str], env: Mapping[str, str], log: Path, descriptors: children.Descriptors
) -> Forker | None:
    """Starts the interpreter; None where what it forks could not become a child of ours.

    Until it is stopped, orphans of our descendants become our children.
    """
    if not _can_adopt():
        return None
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(0)  # never blocks
    command = children.Command("ahead", (sys.executable, "-m", "cli.stack.ahead", *modules), env, STAGE)
    with its:
        return Forker(await children.start(command, log, descriptors, its.fileno()), ours)


def _can_adopt() -> bool:
    if sys.platform != "linux":
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
        _adopt(orphans=True)
    except OSError:  # an old kernel, or a sandbox that forbids it
        return False
    return True


def _adopt(*, orphans: bool) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(SET_CHILD_SUBREAPER, int(orphans), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")

"""Imports once what our processes need, while the servers start, and forks each of them when its environment is known.

`python -m cli.stack.ahead MODULE…`, with a socket as standard input, where each packet is an `Asked`. Imports are most
of what our processes do before they are ready, and they import much the same: 8 s of CPU, or 3.
"""

import gc
import importlib
import json
import os
import runpy
import select
import socket
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from cli.stack import launch

PACKET_BYTES = 2**20
OWN_THREADS = Path("/proc/self/task")


@dataclass(frozen=True, slots=True)
class Asked:
    """A process to fork: a module to run and its arguments, and what else of its `children.Command` it must know.

    With it go three descriptors: the watchdog's pipe, the log, and where the process says its pid when it is
    its asker's child.
    """

    name: str
    argv: list[str]
    env: dict[str, str]
    modules: list[str]
    stop_signal: int
    stage: int

    def packet(self) -> bytes:
        """As it goes over the socket."""
        return json.dumps(asdict(self)).encode()


def main(modules: Iterable[str]) -> None:
    """Import, and fork what is asked for. Ends when whoever started us goes; in a forked process, runs the program."""
    # Nothing that is imported is garbage: the collector would only look for it, again and again.
    gc.disable()
    if asked := _serve(socket.socket(fileno=0), list(modules)):
        _run(asked)


def _serve(line: socket.socket, modules: list[str]) -> Asked | None:
    """Returns None when the other end has gone, and in each forked process what that is to be."""
    while True:
        if modules:
            importlib.import_module(modules.pop(0))
        while select.select([line], [], [], 0 if modules else None)[0]:
            packet, descriptors, _, _ = socket.recv_fds(line, PACKET_BYTES, 3)
            if not packet:
                return None
            asked = Asked(**json.loads(packet))
            if _forked(asked):
                os.close(line.detach())
                os.open(os.devnull, os.O_RDONLY)  # the lowest number that is free: standard input again
                _introduce(asked, *descriptors)
                return asked
            for descriptor in descriptors:
                os.close(descriptor)


def _forked(asked: Asked) -> bool:
    """Whether we are the new process. Its parent ends at once, and the kernel gives it to the supervisor, who can wait
    for its own children only.
    """
    for name in asked.modules:
        importlib.import_module(name)
    if len(list(OWN_THREADS.iterdir())) > 1:
        raise SystemExit("An import has started a thread: a fork would copy the locks it holds, and not the thread.")
    gc.freeze()  # no collector of theirs writes into these pages, so they stay shared
    if parent := os.fork():
        os.waitpid(parent, 0)
        return False
    parent = os.getpid()
    if os.fork():
        os._exit(0)
    while os.getppid() == parent:
        os.sched_yield()
    return True


def _introduce(asked: Asked, report: int, log: int, answer: int) -> None:
    """What children.start and launch.py do for other programs. Then the supervisor gets our pid."""
    os.setsid()
    launch.report(report, asked.stop_signal, asked.stage)
    Path("/proc/self/comm").write_text(asked.name)  # for `top` and `ps -o comm`
    for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(log, descriptor)
    os.close(log)
    os.write(answer, str(os.getpid()).encode())
    os.close(answer)


def _run(asked: Asked) -> None:
    os.environ.clear()
    os.environ.update(asked.env)
    sys.argv = asked.argv
    gc.enable()
    runpy.run_module(asked.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])

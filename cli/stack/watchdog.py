"""Stops what a killed supervisor left behind.

A script reading a pipe whose other end only the supervisor holds. `+ pid signal stage` and `- pid` keep
the list; the end of the pipe means that the supervisor is gone, however it went. PR_SET_PDEATHSIG would
be shorter, but it is Linux's alone, reaches no grandchildren, and cannot stop things in order.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

GRACE_SECONDS = 8.0
TICK_SECONDS = 0.05

Listed = dict[int, tuple[int, int]]  # pid: (signal, stage)


def is_running(pid: int) -> bool:
    """Zombies do not count: in a container nobody may ever collect them."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except OSError:  # no /proc here (macOS), or it went just now
        return not Path("/proc/self").exists()


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _stop(pids: dict[int, int]) -> None:
    for pid, number in pids.items():
        _signal_group(pid, number)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(map(is_running, pids)) and time.monotonic() < deadline:
        time.sleep(TICK_SECONDS)
    for pid in pids:  # also the groups whose leader went: it may have left children
        _signal_group(pid, signal.SIGKILL)


def _stop_in_order(listed: Listed) -> None:
    for stage in sorted({stage for _, stage in listed.values()}, reverse=True):
        _stop({pid: number for pid, (number, at) in listed.items() if at == stage})


def main() -> None:
    """Reads the list until the pipe ends, then stops what is still on it."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    listed: Listed = {}
    for line in sys.stdin:
        match line.split():
            case ["+", pid, number, stage]:
                listed[int(pid)] = (int(number), int(stage))
            case ["-", pid]:
                listed.pop(int(pid), None)
    _stop_in_order(listed)


if __name__ == "__main__":
    main()

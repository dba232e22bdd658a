"""Places where a process can be made to die on purpose, to prove that it may die anywhere.

Off unless GENQUEUE_FAILPOINTS names some, as in `sent_committed=once,claimed=0.05`: `once` kills the first process of
the whole stack that gets there, a number kills with that probability.
"""

import os
import random
import signal
from enum import StrEnum
from pathlib import Path


class Failpoint(StrEnum):
    """Every place, named by what has just happened."""

    CLAIMED = "claimed"
    ATTEMPT_COMMITTED = "attempt_committed"
    SENT_COMMITTED = "sent_committed"
    REQUEST_SENT = "request_sent"
    ANSWER_READ = "answer_read"
    UPSTREAM_ID_SAVED = "upstream_id_saved"
    RESULT_SAVED = "result_saved"
    POLLED = "polled"
    FIRST_BYTE_STORED = "first_byte_stored"
    UPLOADED = "uploaded"
    EVENT_WRITTEN = "event_written"
    COMPLETED = "completed"
    RUNG = "rung"
    DOORBELL_SENT = "doorbell_sent"
    ROWS_STORED = "rows_stored"


ONCE = "once"
_armed: dict[Failpoint, str] = {}
_folder: list[Path] = []


def arm(spec: str, folder: Path) -> None:
    """Arm the failpoints named in `spec`; `folder` remembers which `once` have fired. Raises ValueError."""
    _armed.clear()
    _folder[:] = [folder]
    for part in filter(None, spec.split(",")):
        name, _, when = part.partition("=")
        if when != ONCE and not 0.0 <= float(when) <= 1.0:
            raise ValueError(f"{part}: expected `{ONCE}` or a probability")
        _armed[Failpoint(name)] = when


def reach(point: Failpoint) -> None:
    """Die here if this failpoint is armed and its turn has come: SIGKILL, no clean-up."""
    when = _armed.get(point)
    if when is None:
        return
    if _fires_now(point) if when == ONCE else random.random() < float(when):  # noqa: S311 - a test's dice
        os.kill(os.getpid(), signal.SIGKILL)


def _fires_now(point: Failpoint) -> bool:
    try:
        (_folder[0] / f"failpoint-{point}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

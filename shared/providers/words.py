"""What providers call the stages of a job: each has words of its own, and none uses another's for something else."""

from collections.abc import Callable
from enum import StrEnum

from shared.domain import faults
from shared.providers import base


class Stage(StrEnum):
    """How far a job is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    TOO_OLD = "too_old"


_WORDS = {
    Stage.RUNNING: "queued queueing pending preparing starting submitted throttled processing running dreaming "
    "in_queue in_progress",
    Stage.DONE: "succeeded succeed success completed ready done",
    Stage.FAILED: "failed fail failure error dead",
    Stage.STOPPED: "canceled cancelled aborted",
    Stage.TOO_OLD: "expired",
}
STAGES = {word: stage for stage, words in _WORDS.items() for word in words.split()}


def outcome(
    word: str,
    done: Callable[[], base.PollOutcome],
    failed: Callable[[], base.PollOutcome],
    progress: int | None = None,
) -> base.PollOutcome:
    """What a status word means; upper and lower case are the same. An unknown word counts as running."""
    stage = STAGES.get(word.lower().replace(" ", "_").replace("-", "_"))
    if stage is Stage.DONE:
        return done()
    if stage is Stage.FAILED:
        return failed()
    if stage is Stage.STOPPED:
        return base.Failed(faults.Fault(faults.FaultKind.UNAVAILABLE, f"The provider says: {word}."))
    if stage is Stage.TOO_OLD:
        return base.Failed(faults.Fault(faults.FaultKind.TIMED_OUT, f"The provider says: {word}."))
    return base.Running(progress, odd_status=None if stage is Stage.RUNNING else word)

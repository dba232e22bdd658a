"""From an answer on the wire to an outcome of the contract, the same for every provider."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.domain import faults
from shared.providers import base, dialects, http

LONGEST_NAME = 8192
_GONE = "The provider no longer knows this job."
# Only these end a job that was accepted; every other complaint about a poll means: ask again later.
_FINAL = frozenset({faults.FaultKind.CONTENT_POLICY, faults.FaultKind.NOT_FOUND})


def of_submit(
    answer: http.Answer, dialect: dialects.Dialect, read: Callable[[http.Reply], base.SubmitOutcome]
) -> base.SubmitOutcome:
    """`read` is called for good answers; what it cannot read leaves the submit in doubt."""
    if isinstance(answer, http.NeverSent):
        return base.NotSent(faults.Fault(faults.FaultKind.UNAVAILABLE, f"Not reached: {answer.message}."))
    if isinstance(answer, http.Lost):
        return base.Unknown(f"The answer was lost: {answer.message}.")
    fault = dialect.fault(answer)
    if fault is not None:
        certain = dialect.is_certain(answer)
        return base.Refused(fault) if certain else base.Unknown(f"Status {answer.status}: {fault.message}")
    try:
        return read(answer)
    except http.MISSHAPEN:
        return base.Unknown(f"Status {answer.status} with a body nobody understands.")


def of_poll(
    answer: http.Answer, dialect: dialects.Dialect, read: Callable[[http.Reply], base.PollOutcome]
) -> base.PollOutcome:
    """`read` is called for good answers; what it cannot read is a lost poll."""
    if not isinstance(answer, http.Reply):
        return base.PollLost(answer.message)
    if answer.status in {404, 410}:
        return base.Failed(faults.Fault(faults.FaultKind.NOT_FOUND, _GONE))
    fault = dialect.fault(answer)
    if fault is not None:
        final = fault.kind in _FINAL and answer.status < 500
        return base.Failed(fault) if final else base.PollLost(f"status {answer.status}", fault.retry_after_seconds)
    try:
        return read(answer)
    except http.MISSHAPEN:
        return base.PollLost(f"status {answer.status} with a body nobody understands")


def of_cancel(answer: http.Answer, meanings: Mapping[int, base.Cancellation]) -> base.Cancellation:
    """By status; a lost answer, and a status without a meaning, is REQUESTED: nobody knows what came of it."""
    if not isinstance(answer, http.Reply):
        return base.Cancellation.REQUESTED
    return meanings.get(answer.status, base.Cancellation.REQUESTED)


def name(value: Any) -> str:  # noqa: ANN401 - anything a provider sends
    """An id or a URL as text. Raises ValueError for what is none: the text "None" would be polled for ever."""
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise ValueError("no id")
    if len(text := str(value)) > LONGEST_NAME or "\0" in text:
        raise ValueError("an id nobody could store")
    return text


def percent(value: Any) -> int | None:  # noqa: ANN401 - anything a provider sends
    """A share from 0 to 1 as a percentage; None if it is none."""
    return round(100 * value) if isinstance(value, int | float) and 0 <= value <= 1 else None

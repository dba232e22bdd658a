"""What happened to a job, as one line of time: its events, and every ask of a provider."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain import attempts, events, states
from shared.services import jobs


@dataclass(frozen=True, slots=True)
class Entry:
    """One moment. `tone` is `good`, `bad`, `warn` or empty."""

    at: datetime
    title: str
    detail: str = ""
    tone: str = ""
    cost_micros: int = 0
    since: timedelta = timedelta(0)


_TONES = {
    states.AttemptStatus.SUCCEEDED: "good",
    states.AttemptStatus.IN_DOUBT: "warn",
    states.AttemptStatus.OVERDUE: "warn",
    states.AttemptStatus.CANCELLED: "",
    states.AttemptStatus.NOT_SENT: "",
}
_TITLES = {
    events.EventType.JOB_QUEUED: ("Accepted", ""),
    events.EventType.JOB_STARTED: ("Started", ""),
    events.EventType.JOB_COMPLETED: ("Completed: stored, opened and recorded", "good"),
    events.EventType.JOB_FAILED: ("Failed", "bad"),
    events.EventType.JOB_CANCELLED: ("Cancelled", ""),
    events.EventType.JOB_EXPIRED: ("Expired", "bad"),
}


def of(view: jobs.JobView, history: Sequence[events.Event]) -> list[Entry]:
    """Everything in the order it happened, each with the time since the job was accepted."""
    found = [
        *(_of_event(event) for event in history if event.type in _TITLES),
        *(e for a in view.attempts for e in _of_attempt(a)),
    ]
    if view.job.cancel_requested_at is not None:
        found.append(Entry(view.job.cancel_requested_at, "Cancelling was asked for", tone="warn"))
    if view.job.deleted_at is not None:
        found.append(Entry(view.job.deleted_at, "Outputs deleted"))
    began = view.job.created_at
    return [
        Entry(e.at, e.title, e.detail, e.tone, e.cost_micros, e.at - began) for e in sorted(found, key=lambda e: e.at)
    ]


def _of_event(event: events.Event) -> Entry:
    title, tone = _TITLES[event.type]
    return Entry(event.created_at, title, tone=tone)


def _of_attempt(attempt: attempts.Attempt) -> Iterator[Entry]:
    name = f"Attempt {attempt.number}"
    if attempt.sent_at is not None:
        yield Entry(attempt.sent_at, f"{name} sent to {attempt.provider}", attempt.model)
    if attempt.accepted_at is not None:
        yield Entry(attempt.accepted_at, f"{name} accepted", attempt.upstream_id or "")
    if attempt.finished_at is not None:
        fault = f"{attempt.fault}: {attempt.fault_message}" if attempt.fault else ""
        title = f"{name} {attempt.status.replace('_', ' ')}"
        tone = _TONES.get(attempt.status, "bad")
        yield Entry(attempt.finished_at, title, fault, tone, attempt.cost_micros)

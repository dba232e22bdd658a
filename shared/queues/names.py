"""The queues and the doorbells that go into them: a task name and ids, nothing else."""

from enum import StrEnum


class Queue(StrEnum):
    """Every queue; each is consumed by a worker process (a convention test compares)."""

    JOBS = "jobs"
    POLLS = "polls"
    DELIVERIES = "deliveries"
    SLICES = "slices"


class Task(StrEnum):
    """Every task."""

    RUN_JOBS = "jobs.run"
    POLL_DUE = "polls.due"
    RUN_SLICE = "slices.run"
    CANARY = "canaries.sing"
    DELIVER_DUE = "deliveries.due"

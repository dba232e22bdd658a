"""The queues and the doorbells that go into them: a task name and ids, nothing else."""

from enum import StrEnum


class Queue(StrEnum):
    """Every queue; each is consumed by a worker process (a convention test compares)."""

    JOBS = "jobs"
    POLLS = "polls"
    DELIVERIES = "deliveries"


class Task(StrEnum):
    """Every task."""

    RUN_JOB = "jobs.run"
    POLL_DUE = "polls.due"
    DELIVER_DUE = "deliveries.due"


QUEUE_OF = {Task.RUN_JOB: Queue.JOBS, Task.POLL_DUE: Queue.POLLS, Task.DELIVER_DUE: Queue.DELIVERIES}

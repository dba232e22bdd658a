"""The canary: a task that proves its queue works from end to end."""

from celery import shared_task

from shared.queues import names
from shared.services import canaries
from workers import process


@shared_task(name=names.Task.CANARY.value)
def sing(queue: str) -> None:
    """Write that a task came through `queue`."""
    here = process.current()
    here.loop.do(canaries.sing(here.at.db, queue))

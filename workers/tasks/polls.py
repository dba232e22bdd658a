"""The doorbell for due polls."""

from celery import shared_task

from shared.queues import names
from workers import process


@shared_task(name=names.Task.POLL_DUE.value)
def poll_due() -> None:
    """Wake the process's poller. Doubled, late and lost rings do no harm."""
    here = process.current()
    here.loop.do(here.wake_poller())

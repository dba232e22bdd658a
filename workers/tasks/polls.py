"""The doorbell for due polls."""

from celery import shared_task

from shared.queues import names
from workers import process
from workers.steps import poll


@shared_task(name=names.Task.POLL_DUE.value)
def poll_due() -> None:
    """Poll a batch of what is due. Doubled, late and lost rings do no harm."""
    here = process.current()
    here.loop.do(poll.poll_due(here.at))

"""The doorbell for a slice of a batch."""

from celery import shared_task

from shared.queues import names
from workers import process
from workers.steps import slices


@shared_task(name=names.Task.RUN_SLICE.value)
def run(batch_id: str) -> None:
    """Move some rows of the batch. Doubled, late and lost rings do no harm."""
    here = process.current()
    here.loop.do(slices.run(here.at, batch_id))

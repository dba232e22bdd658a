"""The doorbell for due deliveries."""

from celery import shared_task

from shared.queues import names
from workers import process


@shared_task(name=names.Task.DELIVER_DUE.value)
def deliver_due() -> None:
    """Wake this process's courier. Doubled, late and lost rings do no harm."""
    here = process.current()
    here.loop.do(here.at.wake_courier())

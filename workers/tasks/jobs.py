"""The doorbell for one job."""

from celery import shared_task

from shared.queues import names
from workers import process
from workers.steps import advance


@shared_task(name=names.Task.RUN_JOB.value)
def run(job_id: str) -> None:
    """Carry the job on as far as it goes now. Doubled, late and lost rings do no harm."""
    here = process.current()
    here.loop.do(advance.run(here.at, job_id))

"""The doorbell for jobs that became due at the same moment."""

from celery import shared_task

from shared.queues import names
from workers import process
from workers.steps import advance


@shared_task(name=names.Task.RUN_JOBS.value)
def run(*job_ids: str) -> None:
    """Carry each job on as far as it goes now. Doubled, late and lost rings do no harm."""
    here = process.current()
    here.loop.do(advance.run_all(here.at, job_ids))

"""The plain way, as many projects have it: late acks, requeue on a lost worker, and the state checked in the task.

It is fair to Celery: everything the manual advises for tasks that must not be lost is on.
"""

import os
import sqlite3
from contextlib import closing

import httpx
from celery import Celery

VISIBILITY_SECONDS = 10

app = Celery("naive", broker=os.environ["GENQUEUE_REDIS_URL"])
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_default_queue="naive",
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    # The default of an hour would leave a dead worker's messages lying for longer than this benchmark lasts.
    broker_transport_options={
        "visibility_timeout": VISIBILITY_SECONDS,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
    },
)


def database() -> sqlite3.Connection:
    """The application's own table: a job and its state."""
    return sqlite3.connect(os.environ["NAIVE_DATABASE"], timeout=30, isolation_level=None)


@app.task(name="naive.generate")
def generate(job_id: str) -> None:
    """Check the state, call the provider, save: the kill that comes between the last two is paid again."""
    with closing(database()) as opened:
        (state,) = opened.execute("select state from jobs where id = ?", [job_id]).fetchone()
        if state == "done":
            return
        _call_the_provider(job_id)
        opened.execute("update jobs set state = 'done' where id = ?", [job_id])


def _call_the_provider(job_id: str) -> None:
    body = {"kind": "text", "model": "text", "reference": f"{job_id}.1", "input": {"prompt": job_id, "max_tokens": 20}}
    answer = httpx.post(
        f"{os.environ['GENQUEUE_SANDBOX_URL']}/plain/v1/generations",
        json=body,
        headers={"Authorization": "Bearer sandbox-key"},
        timeout=60,
        trust_env=False,
    )
    answer.raise_for_status()

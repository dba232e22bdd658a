"""The Celery app. Its settings follow reference/celery.md §7.5; each line there was measured."""

from celery import Celery

from shared import settings
from shared.queues import names

VISIBILITY_SECONDS = 900


def create(redis_url: str) -> Celery:
    """An app whose messages are doorbells: no results, no retries, no ETA, late acks."""
    made = Celery(
        "genqueue",
        broker=redis_url,
        include=[f"workers.tasks.{name}" for name in ("canaries", "deliveries", "jobs", "polls", "slices")],
    )
    made.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_acks_on_failure=True,
        task_default_queue=names.Queue.JOBS,
        task_create_missing_queues=True,
        task_serializer="json",
        accept_content=["json"],
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=True,
        worker_hijack_root_logger=False,
        # Our lines are JSON already; Celery would wrap them in its own.
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        # The default gives up after a hundred tries; a worker must outlive any outage of Redis.
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": VISIBILITY_SECONDS,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            # A frozen Redis blocks a publisher for ever without these. Above BRPOP's one second.
            "socket_timeout": 5,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "health_check_interval": 15,
            "global_keyprefix": "genqueue:",
        },
        visibility_timeout=VISIBILITY_SECONDS,
    )
    return made


app = create(settings.load().redis_url.get_secret_value())

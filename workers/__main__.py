"""`python -m workers`: one worker process on a threads pool."""

import os
import signal
import socket
import sys

from celery import signals

from shared import collector, failpoints, logs, settings, tracing
from shared.queues import names
from workers import app, metrics, process


def main() -> None:
    """Run until SIGTERM; then finish what is running and give back the rest."""
    configured = settings.load()
    logs.configure(configured.log_level, configured.log_format)
    tracing.configure("worker", configured.tracing_endpoint)
    failpoints.arm(configured.failpoints, configured.failpoints_path)
    metrics.serve(configured)
    process.begin(configured)
    signals.worker_ready.connect(_listen_to_hangups, weak=False)
    signals.worker_ready.connect(_spare_the_collector, weak=False)
    signals.worker_shutting_down.connect(_stop_claiming, weak=False)
    signals.worker_shutdown.connect(_stop, weak=False)
    # Not `worker_main`, which imports every command of Celery and of its plug-ins first, Flower among them: 0.7 s.
    worker = app.app.Worker(
        # Several workers of one machine are not one node; Flower tells them apart by this.
        hostname=f"worker-{os.getpid()}@{socket.gethostname()}",
        pool="threads",
        concurrency=configured.worker_threads,
        queues=sorted(names.Queue),
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=not configured.task_events,
        task_events=configured.task_events,
        loglevel="WARNING",
    )
    worker.start()
    sys.exit(worker.exitcode)


def _listen_to_hangups(**_: object) -> None:
    # Celery's own answer to SIGHUP is to start itself anew, which would drop what is running.
    signal.signal(signal.SIGHUP, lambda *_: process.current().reload_catalog())


def _spare_the_collector(**_: object) -> None:
    collector.spare()


def _stop_claiming(**_: object) -> None:
    process.current().at.stopping.set()


def _stop(**_: object) -> None:
    process.current().stop()


if __name__ == "__main__":
    main()

"""`python -m workers`: one worker process on a threads pool."""

import signal

from celery import signals

from shared import failpoints, logs, settings
from shared.queues import names
from workers import app, metrics, process


def main() -> None:
    """Run until SIGTERM; then finish what is running and give back the rest."""
    configured = settings.load()
    logs.configure(configured.log_level, configured.log_format)
    failpoints.arm(configured.failpoints, configured.failpoints_path)
    metrics.serve(configured)
    process.begin(configured)
    signals.worker_ready.connect(_listen_to_hangups, weak=False)
    signals.worker_shutting_down.connect(_stop_claiming, weak=False)
    signals.worker_shutdown.connect(_stop, weak=False)
    arguments = ["--pool", "threads", "--concurrency", str(configured.worker_threads)]
    queues = ["--queues", ",".join(sorted(names.Queue))]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"]
    app.app.worker_main(["worker", *arguments, *queues, *quiet])


def _listen_to_hangups(**_: object) -> None:
    # Celery's own answer to SIGHUP is to start itself anew, which would drop what is running.
    signal.signal(signal.SIGHUP, lambda *_: process.current().reload_catalog())


def _stop_claiming(**_: object) -> None:
    process.current().at.stopping.set()


def _stop(**_: object) -> None:
    process.current().stop()


if __name__ == "__main__":
    main()

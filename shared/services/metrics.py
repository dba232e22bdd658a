"""What is counted when jobs end, and the gauges of the whole installation, read at most every few seconds."""

import asyncio
import dataclasses
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from importlib import metadata

from prometheus_client import core

from shared import clock, logs, metrics, tracing
from shared.db import engine
from shared.db import metrics as metric_rows
from shared.db import upkeep as upkeep_rows
from shared.domain import attempts, jobs, outputs, states
from shared.queues import names
from shared.services import health, upkeep

CACHE_SECONDS = 5.0
READ_SECONDS = 5.0

_log = logs.get(__name__)


def job_ended(job: jobs.Job) -> None:
    """Count a job that is over, and end its trace. Call after the commit."""
    tracing.note(f"job.{job.status}", job.id, job.created_at)
    provider, model = job.served_provider or "none", job.served_model or job.model
    metrics.JOBS.labels(model, provider, job.status).inc()
    if job.finished_at is not None:
        metrics.JOB_SECONDS.labels(model, provider).observe((job.finished_at - job.created_at).total_seconds())


def job_started(job: jobs.Job, now: datetime) -> None:
    """Count how long a job waited before it was first sent. Call after the commit."""
    metrics.QUEUE_SECONDS.labels(job.kind).observe((now - job.created_at).total_seconds())


def attempt_paid(attempt: attempts.Attempt, cost_micros: int) -> None:
    """Count what an attempt cost. Call after the commit."""
    metrics.COST_USD.labels(attempt.provider, attempt.model).inc(cost_micros / 1_000_000)


def outputs_stored(kind: states.Kind, stored: Sequence[outputs.Output]) -> None:
    """Count the bytes of outputs that are recorded. Call after the commit."""
    metrics.STORED_BYTES.labels(kind).inc(sum(output.size_bytes for output in stored))


async def snapshot(db: engine.Database) -> metric_rows.Snapshot:
    """How the installation stands now."""
    async with db.transaction() as connection:
        return await metric_rows.snapshot(connection)


class Gauges:
    """A Prometheus collector of the last snapshot. When the database is away only that is told: no stale figures."""

    def __init__(self, db: engine.Database, parts: health.Health) -> None:
        self._db = db
        self._health = parts
        self._parts: dict[str, bool] = {}
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")
        self._last: metric_rows.Snapshot | None = None
        self._backlog: upkeep_rows.Backlog | None = None

    async def refresh(self) -> None:
        """Read again, unless that was done a few seconds ago. Never raises."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._read_at < CACHE_SECONDS:
                return
            self._last, report = await asyncio.gather(self._read(), self._health.report())
            self._parts = report.parts
            self._read_at = asyncio.get_running_loop().time()

    async def _read(self) -> metric_rows.Snapshot | None:
        try:
            async with asyncio.timeout(READ_SECONDS):
                self._backlog = await upkeep.backlog(self._db, clock.now())
                return await snapshot(self._db)
        except Exception as error:  # noqa: BLE001 - whatever it is, the gauge of the database tells it
            _log.warning("gauges_not_read", error=type(error).__name__)
            return None

    def describe(self) -> Iterable[core.Metric]:
        """Nothing: registering must not ask for figures."""
        return ()

    def collect(self) -> Iterable[core.Metric]:
        """The gauges of the last snapshot."""
        yield core.InfoMetricFamily("genqueue_build", "The version.", {"version": metadata.version("genqueue")})
        up = 0 if self._last is None else 1
        yield core.GaugeMetricFamily("genqueue_database_up", "Whether the database answered the last look.", value=up)
        parts = core.GaugeMetricFamily("genqueue_part_up", "Whether the API reaches the part.", labels=("part",))
        for part, answers in self._parts.items():
            parts.add_metric((part,), answers)
        yield parts
        if self._last is not None:
            yield from _families(self._last)
        if self._last is not None and self._backlog is not None:
            yield _behind(self._backlog)


def _families(seen: metric_rows.Snapshot) -> Iterable[core.Metric]:
    yield _by_kind_and_state(seen)
    yield _oldest_queued(seen)
    yield _late(seen)
    canary = core.GaugeMetricFamily(
        "genqueue_canary_age_seconds", "Since a task last came through the queue.", labels=("queue",)
    )
    for queue in names.Queue:
        # A queue that never had one is as bad as one that has long had none.
        canary.add_metric((queue,), seen.canaries.get(queue, timedelta(days=1)).total_seconds())
    yield canary
    alive = sum(seen.processes.values())
    yield core.GaugeMetricFamily("genqueue_worker_processes", "Worker processes whose lease holds.", value=alive)
    yield core.GaugeMetricFamily("genqueue_jobs_held", "Jobs that a worker has in hand.", value=seen.held)
    yield core.GaugeMetricFamily(
        "genqueue_attempts_in_doubt", "Attempts nobody can be sure of, counted up to 1000.", value=seen.in_doubt
    )
    yield core.GaugeMetricFamily(
        "genqueue_deliveries_waiting",
        "Deliveries that wait to be sent, counted up to 10000.",
        value=seen.waiting.deliveries,
    )
    yield core.GaugeMetricFamily(
        "genqueue_delivery_lateness_seconds",
        "How long the oldest due delivery to a healthy receiver waits for a worker.",
        value=seen.waiting.late.total_seconds(),
    )


def _by_kind_and_state(seen: metric_rows.Snapshot) -> core.Metric:
    family = core.GaugeMetricFamily("genqueue_jobs_in_state", "Jobs that are not over.", labels=("kind", "state"))
    for kind in states.Kind:
        for status in sorted(states.ACTIVE):
            count = sum(item.jobs for item in seen.in_state if (item.kind, item.status) == (kind, status))
            family.add_metric((kind, status), count)
    return family


def _oldest_queued(seen: metric_rows.Snapshot) -> core.Metric:
    family = core.GaugeMetricFamily(
        "genqueue_oldest_queued_job_age_seconds",
        "How long the oldest job waits that nobody has begun: the signal for scaling and alerts.",
        labels=("kind",),
    )
    for kind in states.Kind:
        queued = [i for i in seen.in_state if (i.kind, i.status) == (kind, states.JobStatus.QUEUED)]
        family.add_metric((kind,), max((item.oldest.total_seconds() for item in queued), default=0.0))
    return family


def _late(seen: metric_rows.Snapshot) -> core.Metric:
    family = core.GaugeMetricFamily(
        "genqueue_step_lateness_seconds", "How long the oldest due step waits for a worker.", labels=("step",)
    )
    for step in (states.Step.SUBMIT, states.Step.POLL, states.Step.COLLECT):
        late = [item.late.total_seconds() for item in seen.in_state if item.step is step]
        family.add_metric((step,), max(late, default=0.0))
    return family


def _behind(seen: upkeep_rows.Backlog) -> core.Metric:
    family = core.GaugeMetricFamily(
        "genqueue_upkeep_backlog", "What upkeep should have done by now, counted up to 10,000.", labels=("work",)
    )
    for work, count in dataclasses.asdict(seen).items():
        family.add_metric((work,), count)
    return family

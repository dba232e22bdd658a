"""What this process counts, for Prometheus. Labels have few values: never a tenant, key, job or prompt.

Counters are one process's own; what is true of the whole installation is read from the database by
services/metrics.py.
"""

import contextlib
import functools
import time
from collections.abc import Iterator

import prometheus_client as prometheus

REGISTRY = prometheus.CollectorRegistry()
# Generations take from half a second to an hour.
_LONG = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)

HTTP_REQUESTS = prometheus.Counter(
    "genqueue_http_requests", "Requests answered.", ("route", "method", "status"), registry=REGISTRY
)
HTTP_SECONDS = prometheus.Histogram(
    "genqueue_http_request_duration_seconds",
    "From the first byte read to the last one sent; held answers are long on purpose.",
    ("route", "method"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
JOBS_ACCEPTED = prometheus.Counter(
    "genqueue_jobs_accepted", "Jobs answered with 202; replays do not count.", ("kind",), registry=REGISTRY
)
JOBS = prometheus.Counter(
    "genqueue_jobs", "Jobs that reached their end.", ("model", "provider", "status"), registry=REGISTRY
)
JOB_SECONDS = prometheus.Histogram(
    "genqueue_job_duration_seconds",
    "From accepted to over.",
    ("model", "provider"),
    buckets=_LONG,
    registry=REGISTRY,
)
QUEUE_SECONDS = prometheus.Histogram(
    "genqueue_job_queue_wait_seconds", "From accepted to first sent.", ("kind",), buckets=_LONG, registry=REGISTRY
)
PROVIDER_REQUESTS = prometheus.Counter(
    "genqueue_provider_requests",
    "What was asked of providers, by what came of it.",
    ("provider", "operation", "outcome"),
    registry=REGISTRY,
)
PROVIDER_SECONDS = prometheus.Histogram(
    "genqueue_provider_request_duration_seconds",
    "How long providers take to answer.",
    ("provider", "operation"),
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
    registry=REGISTRY,
)
COST_USD = prometheus.Counter(
    "genqueue_cost_usd", "What attempts cost, in US dollars.", ("provider", "model"), registry=REGISTRY
)
STORED_BYTES = prometheus.Counter(
    "genqueue_storage_bytes", "Bytes of outputs that were stored and recorded.", ("kind",), registry=REGISTRY
)
WEBHOOK_TRIES = prometheus.Counter(
    "genqueue_webhook_tries", "Posts to receivers, by what came of them.", ("outcome",), registry=REGISTRY
)
BUDGET_REJECTIONS = prometheus.Counter(
    "genqueue_budget_rejections", "Requests refused for want of budget.", ("source",), registry=REGISTRY
)
RESCUED = prometheus.Counter(
    "genqueue_rescued_jobs",
    "Jobs given back because their process fell silent; near zero in health.",
    registry=REGISTRY,
)
RUNG_AGAIN = prometheus.Counter(
    "genqueue_rung_again", "Doorbells sent again because nobody came; near zero in health.", registry=REGISTRY
)
DOORBELLS = prometheus.Counter("genqueue_doorbells", "Doorbells sent.", ("queue",), registry=REGISTRY)
STRAYS = prometheus.Counter(
    "genqueue_dropped_claims",
    "Claims this process held and had dropped by an error; zero in health.",
    registry=REGISTRY,
)

# What is counted for every request is looked up once for each set of words.
_http_requests, _http_seconds = functools.cache(HTTP_REQUESTS.labels), functools.cache(HTTP_SECONDS.labels)
_asked, _asked_seconds = functools.cache(PROVIDER_REQUESTS.labels), functools.cache(PROVIDER_SECONDS.labels)


def http_answered(route: str, method: str, status: str, seconds: float) -> None:
    """Counts one request."""
    _http_requests(route, method, status).inc()
    _http_seconds(route, method).observe(seconds)


@contextlib.contextmanager
def provider_request(provider: str, operation: str) -> Iterator[list[str]]:
    """Counts one request to a provider; put the outcome into the list it gives."""
    began = time.perf_counter()
    outcome: list[str] = []
    try:
        yield outcome
    finally:
        _asked(provider, operation, outcome[0] if outcome else "broke").inc()
        _asked_seconds(provider, operation).observe(time.perf_counter() - began)


def rendered(registry: prometheus.CollectorRegistry = REGISTRY) -> bytes:
    """All of them in Prometheus' text form."""
    return prometheus.generate_latest(registry)

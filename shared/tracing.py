"""OpenTelemetry traces, off unless an endpoint is set. Needs `genqueue[tracing]`.

A job's id holds 128 bits, as many as the id of a trace: every process derives the one from the other, so that all
spans of a job, from accepting it to its last delivery, are one trace, and nothing has to be stored or passed on.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import ulid

if TYPE_CHECKING:
    from opentelemetry import context, trace

Attribute = str | int | float | bool

_tracers: list["trace.Tracer"] = []
_flushes: list[Callable[[], object]] = []


def configure(service: str, endpoint: str) -> None:
    """Send spans to this OTLP/HTTP endpoint, such as `http://collector:4318`; nothing for an empty one. Raises
    RuntimeError when the extra is not installed. May be repeated.
    """
    _tracers.clear()
    _flushes.clear()
    if not endpoint:
        return
    try:
        # Most installations trace nothing and have none of these.
        from opentelemetry.exporter.otlp.proto.http import trace_exporter  # noqa: PLC0415
        from opentelemetry.sdk import resources, trace  # noqa: PLC0415
        from opentelemetry.sdk.trace import export  # noqa: PLC0415
    except ImportError:
        raise RuntimeError("GENQUEUE_TRACING_ENDPOINT is set; install genqueue[tracing].") from None
    provider = trace.TracerProvider(resource=resources.Resource.create({"service.name": f"genqueue-{service}"}))
    sender = trace_exporter.OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(export.BatchSpanProcessor(sender))
    _tracers.append(provider.get_tracer("genqueue"))
    _flushes.append(provider.force_flush)


def flush() -> None:
    """Send what waits; for the end of a process."""
    for send in _flushes:
        send()


@contextlib.contextmanager
def span(name: str, job_id: str, attributes: Mapping[str, Attribute] | None = None) -> Iterator[None]:
    """Time a piece of work on a job. Never a prompt, key or URL among the attributes."""
    if not _tracers:
        yield
        return
    values = {"messaging.message.conversation_id": job_id, **(attributes or {})}
    with _tracers[0].start_as_current_span(name, context=_context(job_id), attributes=values):
        yield


def note(name: str, job_id: str, began_at: datetime) -> None:
    """A piece of work on a job that is over now, and began when its job was not known yet or in another process."""
    if _tracers:
        values = {"messaging.message.conversation_id": job_id}
        start = int(began_at.timestamp() * 1_000_000_000)
        _tracers[0].start_span(name, _context(job_id), attributes=values, start_time=start).end()


def trace_id(job_id: str) -> int:
    """The id of the job's trace."""
    return int(ulid.ULID.from_str(job_id.partition("_")[2].upper()))


def _context(job_id: str) -> "context.Context | None":
    from opentelemetry import trace  # noqa: PLC0415 - see above

    if trace.get_current_span().get_span_context().is_valid:
        return None  # within another span of ours
    number = trace_id(job_id)
    root = trace.SpanContext(number, number & (2**64 - 1), is_remote=True, trace_flags=trace.TraceFlags(1))
    return trace.set_span_in_context(trace.NonRecordingSpan(root))

"""Traces reach a collector over a real socket, all of a job in one; without an endpoint nothing is sent."""

import http.server
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as wire

from shared import clock, ids, tracing


@pytest.fixture
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """Keeps the bodies that are posted to it."""
    bodies: list[bytes] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its signature
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", bodies
    tracing.configure("test", "")
    server.shutdown()


def test_all_spans_of_a_job_are_one_trace(collector: tuple[str, list[bytes]]) -> None:
    endpoint, bodies = collector
    job_id = ids.new(ids.Prefix.JOB)
    tracing.configure("test", endpoint)
    tracing.note("job.accept", job_id, clock.now() - timedelta(seconds=1))
    with tracing.span("job.submit", job_id), tracing.span("provider.submit", job_id, {"provider": "sandbox"}):
        pass
    tracing.flush()
    spans = [
        span
        for body in bodies
        for resource in wire.ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    by_name = {span.name: span for span in spans}
    assert set(by_name) == {"job.accept", "job.submit", "provider.submit"}
    assert {int.from_bytes(span.trace_id) for span in spans} == {tracing.trace_id(job_id)}
    assert by_name["provider.submit"].parent_span_id == by_name["job.submit"].span_id
    accepted = by_name["job.accept"]
    assert accepted.end_time_unix_nano - accepted.start_time_unix_nano >= 900_000_000


def test_without_an_endpoint_nothing_happens() -> None:
    tracing.configure("test", "")
    with tracing.span("job.submit", ids.new(ids.Prefix.JOB)):
        tracing.note("job.accept", ids.new(ids.Prefix.JOB), clock.now())

"""The port on which a worker or the relay answers Prometheus."""

import socket

import httpx
import pytest

from shared import metrics, settings
from workers import metrics as exposition


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_it_answers_without_a_key_what_the_process_counted(port: int) -> None:
    metrics.RESCUED.inc(2)
    exposition.serve(settings.Settings(metrics_port=port))
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
    counted = [line for line in answer.text.splitlines() if line.startswith("genqueue_rescued_jobs_total ")]
    assert float(counted[0].split()[1]) >= 2


def test_it_is_off_by_default_and_a_taken_port_stops_nothing(port: int) -> None:
    exposition.serve(settings.Settings())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        exposition.serve(settings.Settings(metrics_port=port))

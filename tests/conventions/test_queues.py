"""Every queue has somebody who consumes it, in docker-compose.yml as in `genqueue up`, and every task exists."""

from typing import Any

import pytest
import yaml
from celery import signals

from cli.stack import processes
from shared import logs
from shared.queues import names
from tests.conventions import tree
from workers import __main__ as entry
from workers import app, process

WORKER = ("python", "-m", "workers")


@pytest.fixture
def consumed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The queues that `python -m workers` tells Celery to consume."""
    given: list[dict[str, Any]] = []

    class Worker:
        exitcode = 0

        def __init__(self, **arguments: object) -> None:
            given.append(arguments)

        def start(self) -> None:
            """Consumes nothing."""

    monkeypatch.setattr(process, "begin", lambda _: None)
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    monkeypatch.setattr(app.app, "Worker", Worker)
    for signal in (signals.worker_shutting_down, signals.worker_shutdown):
        monkeypatch.setattr(signal, "connect", lambda *_, **__: None)
    with pytest.raises(SystemExit, match="0"):
        entry.main()
    [arguments] = given
    return set(arguments["queues"])


def test_a_worker_consumes_every_queue(consumed: set[str]) -> None:
    assert consumed == {str(queue) for queue in names.Queue}


def test_a_worker_runs_in_compose_and_in_genqueue_up() -> None:
    compose: dict[str, Any] = yaml.safe_load((tree.ROOT / "docker-compose.yml").read_text())
    assert WORKER in {process.argv for process in processes.ALL}
    assert WORKER in {tuple(service.get("command", ())) for service in compose["services"].values()}


def test_every_doorbell_rings_a_task_that_exists() -> None:
    app.app.loader.import_default_modules()
    assert {task for task in app.app.tasks if not task.startswith("celery.")} == {str(task) for task in names.Task}

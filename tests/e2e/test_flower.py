"""`genqueue up --flower`: it sees the workers and their tasks, asks for the key, and without it nobody sends events."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import tenacity

from cli import client
from cli.stack import stack


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[stack.Stack]:
    async with stack.Stack(data_dir=tmp_path / "data", usual_ports=False, temporary=True, flower=True) as local:
        yield local


class NotSeenError(Exception):
    """Flower has not told of it yet."""


async def test_it_sees_workers_and_tasks_and_asks_for_the_key(watched: stack.Stack) -> None:
    async with client.Client(watched.base_url, watched.admin_key) as api:
        job = await api.submit("image", {"model": "sandbox/image", "prompt": "x"})
        _ = [item async for item in api.follow(job["id"])]
    async with httpx.AsyncClient(base_url=watched.flower_url, trust_env=False, timeout=20) as http:
        assert (await http.get("/")).status_code == 401
        assert (await http.get("/healthcheck")).status_code == 200
        key = ("admin", watched.admin_key)
        async for attempt in tenacity.AsyncRetrying(
            wait=tenacity.wait_fixed(0.5), stop=tenacity.stop_after_delay(60), reraise=True
        ):
            with attempt:
                tasks = (await http.get("/api/tasks", auth=key)).json()
                if "jobs.run" not in {task["name"] for task in tasks.values()}:
                    raise NotSeenError
    assert all(task["args"] is None or "prompt" not in task["args"] for task in tasks.values())


async def test_without_it_nobody_sends_events(running: stack.Stack) -> None:
    async for attempt in tenacity.AsyncRetrying(
        wait=tenacity.wait_fixed(0.2), stop=tenacity.stop_after_delay(60), reraise=True
    ):
        with attempt:
            log = (running.folder.logs / "worker-1.log").read_text()
            if "task events:" not in log:
                raise NotSeenError
    assert "task events: OFF" in log

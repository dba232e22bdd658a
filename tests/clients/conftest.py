"""The whole stack, and the official clients run against it in processes and environments of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from cli.stack import stack
from tests.clients import scripted

SCRIPTS = Path(__file__).parent / "scripts"
# Short, so that tests see what happens when an answer takes longer.
QUIET_SECONDS = "5"
HELD_SECONDS = "60"


@pytest.fixture(scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[stack.Stack]:
    folder: Path = tmp_path_factory.mktemp("clients") / "data"
    settings = {
        "GENQUEUE_LEASE_SECONDS": "4",
        "GENQUEUE_HELD_QUIET_SECONDS": QUIET_SECONDS,
        "GENQUEUE_HELD_ANSWER_SECONDS": HELD_SECONDS,
        "GENQUEUE_ALLOWED_NETWORKS": '["127.0.0.0/8"]',
        "GENQUEUE_ALLOWED_LOCAL_NETWORKS": '["127.0.0.0/8"]',
        "GENQUEUE_ALLOW_PLAIN_HTTP": "true",
        "GENQUEUE_OUTBOUND_PORTS": "[]",
    }
    async with stack.Stack(data_dir=folder, workers=2, usual_ports=False, temporary=True, environ=settings) as local:
        yield local


@pytest.fixture(scope="session")
async def http(running: stack.Stack) -> AsyncIterator[httpx.AsyncClient]:
    """A client without any opinions."""
    key = {"Authorization": f"Bearer {running.admin_key}"}
    async with httpx.AsyncClient(base_url=running.base_url, headers=key, timeout=60, trust_env=False) as opened:
        yield opened


@pytest.fixture(scope="session")
def run(running: stack.Stack) -> scripted.Run:
    async def run_script(client: str, script: str, **environ: str) -> scripted.Report:
        return await scripted.run(client, SCRIPTS / script, scripted.environ(running) | environ)

    return run_script

"""Schemathesis against the whole OpenAPI of a running stack: no server error, keys checked everywhere, nothing usable
after it was deleted, and every answer as it is documented.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import fastapi
import httpx
import pytest
import tenacity
import uvicorn
from fastapi import security

from cli.stack import stack

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# Streams of events do not end by themselves, and the callbacks' token is not a key.
LEFT_OUT = "/v1/jobs/{job_id}/events"
# What the schema cannot say (which models there are, what goes together) is refused as well, so a request that fits
# the schema may be refused.
NOT_PROMISED = "positive_data_acceptance"


async def run(base_url: str, key: str, *arguments: str) -> tuple[int, str]:
    """Schemathesis in a process of its own; its exit code, and what it said."""
    process = await asyncio.create_subprocess_exec(
        *(str(SCHEMATHESIS), "run", f"{base_url}/openapi.json", "-H", f"Authorization: Bearer {key}"),
        *("--no-color", "--request-timeout", "60", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


@pytest.mark.timeout(900)
async def test_the_whole_api_keeps_to_its_description(running: stack.Stack) -> None:
    code, said = await run(
        running.base_url,
        running.admin_key,
        *("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "5"),
        *("--exclude-checks", NOT_PROMISED, "--exclude-path", LEFT_OUT),
    )
    assert code == 0, said[-20_000:]


@asynccontextmanager
async def serving(app: fastapi.FastAPI) -> AsyncIterator[str]:
    """The app on a free port; its base URL."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    task = asyncio.create_task(server.serve())
    async for attempt in tenacity.AsyncRetrying(wait=tenacity.wait_fixed(0.05), stop=tenacity.stop_after_delay(30)):
        with attempt:
            assert server.started
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await task


async def test_the_run_sees_a_route_that_only_says_it_needs_a_key() -> None:
    app = fastapi.FastAPI()
    bearer = security.HTTPBearer(auto_error=False)

    @app.get("/v1/planted")
    async def planted(_: Annotated[object, fastapi.Security(bearer)]) -> dict[str, str]:
        return {}

    async with serving(app) as base_url:
        code, said = await run(base_url, "a-key", "--phases", "coverage,fuzzing", "--checks", "ignored_auth")
    assert code == 1, said
    assert "without authentication" in said or "ignored" in said.lower()


async def test_the_description_is_served_as_it_is_kept(running: stack.Stack) -> None:
    async with httpx.AsyncClient(base_url=running.base_url, trust_env=False) as client:
        served = (await client.get("/openapi.json")).json()
    assert {"/v1/keys", "/v1/budgets", "/v1/usage", "/v1/audit"} <= served["paths"].keys()

"""Schemathesis against the whole OpenAPI of a running stack: no server error, keys checked everywhere, nothing usable
after it was deleted, and every answer as it is documented.
"""

import asyncio
import sys
from pathlib import Path

import httpx
import pytest

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


async def test_the_run_would_see_a_route_without_authentication(running: stack.Stack) -> None:
    """With a key that is refused, everything the schema calls protected answers 401: the checks do look."""
    code, said = await run(
        running.base_url, "gq_live_wrong", "--phases", "examples", "--checks", "positive_data_acceptance"
    )
    assert code == 1
    assert "401" in said


async def test_the_description_is_served_as_it_is_kept(running: stack.Stack) -> None:
    async with httpx.AsyncClient(base_url=running.base_url, trust_env=False) as client:
        served = (await client.get("/openapi.json")).json()
    assert {"/v1/keys", "/v1/budgets", "/v1/usage", "/v1/audit"} <= served["paths"].keys()

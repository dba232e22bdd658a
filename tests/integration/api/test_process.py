"""`python -m api` as it is run: serves, and on SIGTERM gives held answers at once and ends with 0."""

import asyncio
import os
import socket
import subprocess
import sys

import httpx
import pytest
import tenacity

from cli.stack import stack

DEADLINE_SECONDS = 40


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.usefixtures("database")
async def test_it_stops_when_it_is_told(servers: stack.Stack, free_port: int) -> None:
    process = _start(servers, free_port)
    try:
        headers = {"Authorization": f"Bearer {servers.admin_key}"}
        url = f"http://127.0.0.1:{free_port}"
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=70, trust_env=False) as client:
            await _ready(client)
            body = {"model": "sandbox/video", "prompt": "A paper boat"}
            job_id = (await client.post("/v1/videos", json=body)).json()["id"]
            held = asyncio.create_task(client.get(f"/v1/jobs/{job_id}?wait=60"))
            done, _ = await asyncio.wait({held}, timeout=0.5)
            assert not done
            process.terminate()
            answer = await asyncio.wait_for(held, DEADLINE_SECONDS)
        assert (answer.status_code, answer.json()["status"]) == (200, "queued")
        assert await asyncio.to_thread(process.wait, DEADLINE_SECONDS) == 0
        assert process.stdout
        assert job_id in process.stdout.read()
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def _start(servers: stack.Stack, port: int) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "api", "--host", "127.0.0.1", "--port", str(port)]
    return subprocess.Popen(argv, env={**os.environ, **servers.env}, stdout=subprocess.PIPE, text=True)


@tenacity.retry(wait=tenacity.wait_fixed(0.05), stop=tenacity.stop_after_delay(DEADLINE_SECONDS), reraise=True)
async def _ready(client: httpx.AsyncClient) -> None:
    assert (await client.get("/readyz")).status_code == 200


async def test_a_short_admin_key_is_refused(servers: stack.Stack) -> None:
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "api"],
        env={**os.environ, **servers.env, "GENQUEUE_ADMIN_KEY": "short"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert ended.returncode == 2
    assert "GENQUEUE_ADMIN_KEY must have at least 16 characters." in ended.stderr

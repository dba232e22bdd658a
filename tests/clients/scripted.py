"""Scripts with a client of their own, run as processes; each prints its report as JSON."""

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from cli.stack import stack
from tests.clients import environments

SCRIPT_SECONDS = 150

Report = dict[str, Any]


class Run(Protocol):
    """Runs a script with one client and answers what it printed."""

    async def __call__(self, client: str, script: str, **environ: str) -> Report: ...


def environ(running: stack.Stack) -> dict[str, str]:
    """What the clients, and our own scripts, read from their environment."""
    return {
        "OPENAI_BASE_URL": f"{running.base_url}/openai/v1",
        "OPENAI_API_KEY": running.admin_key,
        "OPENROUTER_SERVER_URL": f"{running.base_url}/api/v1",
        "OPENROUTER_API_KEY": running.admin_key,
        "GENQUEUE_URL": running.base_url,
        "GENQUEUE_KEY": running.admin_key,
        "NO_PROXY": "127.0.0.1",
    }


async def run(client: str, script: Path, given: Mapping[str, str]) -> Report:
    """The report of a script of ours."""
    report: Report = json.loads(await output(client, script, given, script.parent))
    return report


async def output(client: str, script: Path, given: Mapping[str, str], folder: Path) -> bytes:
    """What a script prints, run in that folder with one client; fails the test if it ends badly."""
    python = await asyncio.to_thread(environments.python, client)
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    process = await asyncio.create_subprocess_exec(
        str(python),
        str(script),
        cwd=folder,
        env={**inherited, **given},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(SCRIPT_SECONDS):
            printed, complained = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complained.decode()[-4000:]
    return printed

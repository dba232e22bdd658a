"""Scripts with a client of their own, run as processes; each prints its report as JSON."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any, Protocol

from tests.clients import environments

SCRIPT_SECONDS = 150

Report = dict[str, Any]


class Run(Protocol):
    """Runs a script with one client and answers what it printed."""

    async def __call__(self, client: str, script: str, **environ: str) -> Report: ...


async def run(client: str, script: Path, environ: dict[str, str]) -> Report:
    python = await asyncio.to_thread(environments.python, client)
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    process = await asyncio.create_subprocess_exec(
        str(python),
        str(script),
        env={**inherited, **environ},
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
    report: Report = json.loads(printed)
    return report

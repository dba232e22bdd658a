"""`genqueue up`: the whole stack on this machine until Ctrl-C."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.stack import faults, stack

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def up(
    port: Annotated[int, typer.Option(help="Port of the API; a free one is used if it is taken.")] = 8080,
    data_dir: Annotated[Path, typer.Option(help="Folder of data, logs and secrets; kept when it stops.")] = Path(
        ".genqueue"
    ),
    external: Annotated[
        bool, typer.Option("--external", help="Use the servers named in GENQUEUE_… variables; start none.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="How many worker processes.")] = 1,
    flower: Annotated[bool, typer.Option("--flower", help="Start Flower beside the workers.")] = False,
) -> None:
    """Start Postgres, Redis, S3, the sandbox provider, the API, the relay and the workers.

    Prints one line when all are ready; Ctrl-C stops everything. A server whose GENQUEUE_… URL is set is used as it is.
    """
    local = stack.Stack(
        data_dir=data_dir,
        port=port,
        external=external,
        workers=workers,
        flower=flower,
        environ={name: value for name, value in os.environ.items() if name.startswith(stack.PREFIX)},
    )
    raise typer.Exit(serve(local))


def serve(local: stack.Stack) -> int:
    """Runs the stack until SIGINT, SIGTERM or SIGHUP and stops it. Returns the exit code; faults go to stderr."""
    try:
        asyncio.run(_serve(local))
    except faults.StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def _serve(local: stack.Stack) -> None:
    running = asyncio.create_task(_run(local))
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop() -> None:
        if not stopping.is_set():  # a second cancel would interrupt the stopping itself
            stopping.set()
            running.cancel()

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        await running
    except asyncio.CancelledError:
        if not stopping.is_set():
            raise


async def _run(local: stack.Stack) -> None:
    async with local:
        print(ready_line(local), flush=True)
        await asyncio.Event().wait()


def ready_line(local: stack.Stack) -> str:
    """The one line: the base URL, and where the admin key is (never the key)."""
    preset = bool(local.environ.get("GENQUEUE_ADMIN_KEY"))
    where = "is the one in GENQUEUE_ADMIN_KEY" if preset else f"is in {local.folder.admin_key_file}"
    flower = f" Flower is at {local.flower_url}, user admin, the same key." if local.flower else ""
    return f"genqueue is ready at {local.base_url} and the admin key {where}.{flower} Ctrl-C stops it."

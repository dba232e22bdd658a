"""`python -m shared.providers.sandbox`: run the sandbox provider."""

from __future__ import annotations

import asyncio
import collections.abc
import gc
import importlib
import importlib.util
import pathlib
from typing import Annotated

import typer

from shared.providers.sandbox import server

COLLECT_AFTER = 20_000


def main(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 0,
    state: Annotated[str, typer.Option(help="SQLite file to remember in.")] = ":memory:",
    port_file: Annotated[pathlib.Path | None, typer.Option(help="Write the port here once it listens.")] = None,
    callback_secret: Annotated[str, typer.Option(help="Signs callbacks.")] = server.CALLBACK_SECRET,
) -> None:
    """Serve the sandbox provider until SIGTERM or Ctrl-C."""
    # What it remembers is no garbage: looking through all of it again and again costs an ask a third of its time.
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    options = server.Options(host, port, state, port_file, callback_secret)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(server.serve(options, lambda url: typer.echo(f"sandbox provider: {url}")))


def _loop_factory() -> collections.abc.Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop of uvloop where it is installed, else asyncio's own."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    factory: collections.abc.Callable[[], asyncio.AbstractEventLoop]
    factory = importlib.import_module("uvloop").new_event_loop
    return factory


if __name__ == "__main__":
    typer.run(main)

"""Running the sandbox provider: sockets, the port file, signals."""

from __future__ import annotations

import asyncio
import collections.abc
import contextlib
import dataclasses
import logging
import os
import pathlib
import signal

from aiohttp import web

from shared.providers.sandbox import app, desk, downloads, record

STOP_SECONDS = 1.0
WAITING_LINES = 2048
CALLBACK_SECRET = "sandbox"  # noqa: S105 a toy's default; real money is never behind it

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """Where to listen and what to remember. Port 0 takes a free one; state ":memory:" forgets."""

    host: str = "127.0.0.1"
    port: int = 0
    state: str = ":memory:"
    port_file: pathlib.Path | None = None
    callback_secret: str = CALLBACK_SECRET


@contextlib.asynccontextmanager
async def running(options: Options) -> collections.abc.AsyncIterator[str]:
    """The server, listening; gives its base URL. Stops it and closes the state at the end."""
    book = record.Record(options.state)
    runner = web.AppRunner(
        app.build(desk.Desk(book), options.callback_secret),
        access_log=None,
        shutdown_timeout=STOP_SECONDS,
    )
    try:
        await runner.setup()
        port = await _listen(runner, options)
        yield f"http://{options.host}:{port}"
    finally:
        await runner.cleanup()
        book.close()


async def _listen(runner: web.AppRunner, options: Options) -> int:
    await web.TCPSite(runner, options.host, options.port, backlog=WAITING_LINES).start()
    port = int(runner.addresses[0][1])
    if options.host == "127.0.0.1":
        await _listen_as_other_host(runner, port)
    if options.port_file is not None:
        _write(options.port_file, str(port))
    return port


async def _listen_as_other_host(runner: web.AppRunner, port: int) -> None:
    """Serve the redirect's target too, so that a client that follows it is found out. Only Linux
    has the whole of 127/8 by itself; elsewhere the target refuses, which does no harm.
    """
    try:
        await web.TCPSite(runner, downloads.OTHER_HOST, port).start()
    except OSError as error:
        log.info("no second address for the redirect variant: %s", error)


def _write(file: pathlib.Path, text: str) -> None:
    """All at once, so that a reader that waits for the file never sees half of it."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(file)


async def serve(options: Options, ready: collections.abc.Callable[[str], None] = lambda _url: None) -> None:
    """Serve until SIGTERM or SIGINT; `ready` hears the base URL once it listens."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(options) as url:
        ready(url)
        await stop.wait()

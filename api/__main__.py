"""`python -m api --host 127.0.0.1 --port 8080`: serve the API until SIGTERM or SIGINT."""

import asyncio
import signal
from types import FrameType
from typing import Annotated

import typer
import uvicorn

from api import app as application
from shared import logs, settings

# Held answers are given at once on the way out; what is left are downloads.
GRACE_SECONDS = 20


class Server(uvicorn.Server):
    """uvicorn, which also wakes the held answers when it is asked to stop."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override] # sockets only pass
        """Remember the loop: a signal handler may not touch an event by itself."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)  # type: ignore[arg-type] # see above

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop taking requests, finish those that run."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        super().handle_exit(sig, frame)


def main(
    host: Annotated[str, typer.Option(help="The address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on")] = 8080,
) -> None:
    """Serve the API until it is told to stop."""
    configured = settings.load()
    logs.configure(configured.log_level, configured.log_format)
    app = application.create_app(configured)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,  # our own line carries the request id
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = Server(config, app.state.parts.stopping)
    server.run()
    # uvicorn raises the signal again after a clean end; a service manager wants to see 0.
    raise typer.Exit(0 if server.started else 1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    typer.run(main)

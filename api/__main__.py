"""`python -m api --host 127.0.0.1 --port 8080`: serve the API until SIGTERM or SIGINT."""

import asyncio
import contextlib
import signal
import sys
from types import FrameType
from typing import Annotated

import fastapi
import typer
import uvicorn

from api import app as application
from api import parts
from shared import collector, logs, settings, tracing
from shared.catalog import files

# Held answers are given at once on the way out; what is left are downloads.
GRACE_SECONDS = 20


class Server(uvicorn.Server):
    """uvicorn, which also wakes the held answers when it is asked to stop, and reads the catalog again on SIGHUP."""

    def __init__(self, config: uvicorn.Config, given: parts.Parts) -> None:
        super().__init__(config)
        self._given = given
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override] # sockets only pass
        """Remember the loop: a signal handler may not touch an event by itself."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_signal_handler(signal.SIGHUP, self._reload_catalog)
        await super().startup(sockets)  # type: ignore[arg-type] # see above

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop taking requests, finish those that run."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._given.stopping.set)
        super().handle_exit(sig, frame)

    def _reload_catalog(self) -> None:
        if self._loop is not None:
            self._loop.run_in_executor(None, self._given.reload_catalog)


def main(
    host: Annotated[str, typer.Option(help="The address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on")] = 8080,
) -> None:
    """Serve the API until it is told to stop."""
    configured = settings.load()
    logs.configure(configured.log_level, configured.log_format)
    tracing.configure("api", configured.tracing_endpoint)
    app = _application(configured)
    collector.spare()
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,  # our own line carries the request id
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    # uvicorn raises the signal again after a clean end; whoever runs us wants to see 0.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        Server(config, app.state.parts).run()


def _application(configured: settings.Settings) -> fastapi.FastAPI:
    try:
        return application.create_app(configured)
    except (ValueError, files.CatalogError) as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(2) from None


if __name__ == "__main__":
    cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    cli.command()(main)
    cli()

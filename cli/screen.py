"""What commands print: for people in colour, or with `--json` one JSON document on stdout. Hints go to stderr."""

import asyncio
import functools
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, ParamSpec

import httpx
import typer
from rich import console, markup, table

from cli import client, connections, exits

P = ParamSpec("P")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

_MARKS = {
    "queued": "[yellow]queued[/]",
    "in_progress": "[cyan]in progress[/]",
    "completed": "[green]completed[/]",
    "failed": "[red]failed[/]",
    "cancelled": "[dim]cancelled[/]",
    "expired": "[red]expired[/]",
}

out = console.Console()
hints = console.Console(stderr=True, highlight=False)


def command(work: Callable[P, Awaitable[exits.Exit]]) -> Callable[P, None]:
    """A typer command from a coroutine that answers its exit code. Faults become a sentence and their code."""

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        raise typer.Exit(_run(work, *args, **kwargs))

    return run


def _run(work: Callable[P, Awaitable[exits.Exit]], *args: P.args, **kwargs: P.kwargs) -> exits.Exit:
    async def main() -> exits.Exit:
        return await work(*args, **kwargs)

    try:
        return asyncio.run(main())
    except _FAULTS as error:
        sentence, code = _explained(error)
        sys.stderr.write(f"{sentence}\n")
        return code
    except KeyboardInterrupt:
        return exits.Exit.INTERRUPTED


_FAULTS = (connections.NoKeyError, client.ApiError, httpx.InvalidURL, httpx.TransportError, OSError, ValueError)


def _explained(error: Exception) -> tuple[str, exits.Exit]:
    match error:
        case connections.NoKeyError():
            return " ".join((error.__doc__ or "").split()), exits.Exit.NO_KEY
        case client.ApiError(status=httpx.codes.UNAUTHORIZED):
            return error.sentence(), exits.Exit.NO_KEY
        case client.ApiError():
            return error.sentence(), exits.Exit.REFUSED
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return f"This is no URL of an API: {error}.", exits.Exit.USAGE
        case httpx.TransportError():
            found = type(error).__name__
            return f"No API answers ({found}). Is it running? `genqueue doctor` looks.", exits.Exit.UNREACHABLE
        case _:
            return str(error), exits.Exit.REFUSED


def connect() -> client.Client:
    """A client for the API of this folder. Raises NoKeyError."""
    found = connections.find()
    return client.Client(found.url, found.key)


def document(value: object) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def plain(text: str) -> None:
    """One line on stdout, as it is: ids and texts, for pipes."""
    sys.stdout.write(f"{text}\n")


def status(value: str) -> str:
    """A status in its colour."""
    return _MARKS.get(value, value)


def usd(micros: int) -> str:
    """Dollars as people read them: `$0.20`, `$0.0005`."""
    text = f"{micros / 1_000_000:.6f}".rstrip("0")
    whole, _, rest = text.partition(".")
    return f"${whole}.{rest:0<2}"


def grid(*titles: str | table.Column) -> table.Table:
    """A table with light lines."""
    return table.Table(*titles, box=None, pad_edge=False, header_style="dim")


def safe(text: object) -> str:
    """Text of others: its brackets are not ours to read as colours."""
    return markup.escape(str(text))


def job(shown: dict[str, Any]) -> None:
    """A job for people."""
    made = grid("", "")
    made.add_row("job", shown["id"])
    made.add_row("status", f"{status(shown['status'])} {shown['progress']}%")
    made.add_row("model", safe(shown["served_model"] or shown["model"]))
    made.add_row("cost", f"{usd(shown['usage']['cost_micros'])} (estimate {usd(shown['usage']['estimate_micros'])})")
    made.add_row("created", shown["created_at"])
    if shown["error"]:
        made.add_row("error", f"[red]{safe(shown['error']['code'])}[/]: {safe(shown['error']['message'])}")
    for attempt in shown.get("attempts", ()):
        fault = f": {safe(attempt['fault_message'] or attempt['fault'])}" if attempt["fault"] else ""
        made.add_row(f"attempt {attempt['number']}", f"{safe(attempt['provider'])} {attempt['status']}{fault}")
    for output in shown["outputs"]:
        made.add_row(f"output {output['number']}", f"{output['media_type']}, {output['size_bytes']:,} bytes")
    out.print(made)

"""`genqueue batch`: a file of prompts in, a file of results out, from the command line."""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich import console, prompt

from cli import batch_screen, client

app = typer.Typer(name="batch", help="Run every row of a file, and take back a file.", no_args_is_help=True)

OVER = frozenset({"completed", "failed", "cancelled", "expired"})
POLL_SECONDS = 1.0
INTERRUPTED = 130

BaseUrl = Annotated[str, typer.Option("--url", envvar="GENQUEUE_PUBLIC_URL", help="Where the API answers.")]
Key = Annotated[
    str, typer.Option(envvar=["GENQUEUE_API_KEY", "GENQUEUE_ADMIN_KEY"], help="Your key; better in the environment.")
]
HOME = "http://127.0.0.1:8080"


@app.command()
def run(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, TSV, JSON Lines or .xlsx.")],
    template: Annotated[str, typer.Option(help="The prompt, with {{column}} for a row's cells.")] = "",
    model: Annotated[str, typer.Option(help="The model, unless a column names it.")] = "",
    system: Annotated[str, typer.Option(help="The system message of every row.")] = "",
    parameters: Annotated[str, typer.Option(help='JSON: fields of every request, as {"max_tokens": 200}.')] = "",
    output: Annotated[Path | None, typer.Option(help="Where the results go; else beside the input.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before spending.")] = False,
    base_url: BaseUrl = HOME,
    key: Key = "",
) -> None:
    """Try the file, say what it will cost, ask, run it, and save the results beside it."""
    fields = {"template": template, "model": model, "system": system, "parameters": parameters, "dry_run": "true"}
    given = {name: value for name, value in fields.items() if value}
    _finish(_run(file, given, output or beside(file), base_url, key, asks=not yes))


@app.command()
def status(
    batch_id: str,
    watch: Annotated[bool, typer.Option("--watch", help="Stay until it is over.")] = False,
    base_url: BaseUrl = HOME,
    key: Key = "",
) -> None:
    """Say how far a batch is."""
    _finish(_status(batch_id, base_url, key, watch=watch))


@app.command()
def results(
    batch_id: str,
    output: Annotated[Path | None, typer.Option(help="The file; its ending (.csv, .jsonl, .parquet) says how.")] = None,
    base_url: BaseUrl = HOME,
    key: Key = "",
) -> None:
    """Save the results so far."""
    _finish(_results(batch_id, output or Path(f"{batch_id}.csv"), base_url, key))


@app.command()
def retry(batch_id: str, base_url: BaseUrl = HOME, key: Key = "") -> None:
    """Run the failed and cancelled rows again, and only those."""
    _finish(_retry(batch_id, base_url, key))


def beside(file: Path) -> Path:
    """`prompts.csv` becomes `prompts.results.csv`."""
    return file.with_name(f"{file.stem}.results.csv")


def _finish(work: Coroutine[Any, Any, int]) -> None:
    try:
        code = asyncio.run(work)
    except client.ApiError as error:
        print(error, file=sys.stderr)
        code = 1
    except (httpx.HTTPError, OSError) as error:
        print(f"The API cannot be reached: {error or type(error).__name__}.", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        code = INTERRUPTED
    raise typer.Exit(code)


async def _run(file: Path, fields: dict[str, str], output: Path, base_url: str, key: str, *, asks: bool) -> int:
    screen = console.Console()
    async with client.Client(base_url, key) as api:
        batch = await api.upload("/v1/batches", file, fields)
        batch = await _until_read(api, batch["id"])
        if batch["status"] == "failed":
            batch_screen.refusal(screen, batch)
            return 1
        batch_screen.report(screen, await api.get(f"/v1/batches/{batch['id']}/report"))
        if asks and not await asyncio.to_thread(prompt.Confirm.ask, "Run it?", console=screen, default=False):
            await api.post(f"/v1/batches/{batch['id']}/cancel")
            screen.print("Nothing was run.")
            return 1
        await api.post(f"/v1/batches/{batch['id']}/start")
        return await _watch_and_save(api, batch["id"], output, screen)


async def _until_read(api: client.Client, batch_id: str) -> client.Json:
    while True:
        batch = await api.get(f"/v1/batches/{batch_id}")
        if batch["status"] != "validating":
            return batch
        await asyncio.sleep(POLL_SECONDS / 4)


async def _watch_and_save(api: client.Client, batch_id: str, output: Path, screen: console.Console) -> int:
    try:
        batch = await _watch(api, batch_id, screen)
    except asyncio.CancelledError:
        batch_screen.left_running(screen, batch_id)
        raise
    size = await api.save(f"/v1/batches/{batch_id}/results", output)
    batch_screen.ended(screen, batch)
    screen.print(f"saved {output} ({size:,} bytes)", soft_wrap=True)
    return 0 if batch["counts"]["completed"] == batch["counts"]["total"] else 2


async def _watch(api: client.Client, batch_id: str, screen: console.Console) -> client.Json:
    with batch_screen.Bar(screen) as bar:
        while True:
            batch = await api.get(f"/v1/batches/{batch_id}")
            bar.show(batch)
            if batch["status"] in OVER:
                return batch
            await asyncio.sleep(POLL_SECONDS)


async def _status(batch_id: str, base_url: str, key: str, *, watch: bool) -> int:
    screen = console.Console()
    async with client.Client(base_url, key) as api:
        batch = await (_watch(api, batch_id, screen) if watch else api.get(f"/v1/batches/{batch_id}"))
        batch_screen.ended(screen, batch)
    return 0


async def _results(batch_id: str, output: Path, base_url: str, key: str) -> int:
    async with client.Client(base_url, key) as api:
        form = output.suffix.lstrip(".") or "csv"
        size = await api.save(f"/v1/batches/{batch_id}/results", output, format=form)
    console.Console().print(f"saved {output} ({size:,} bytes)", soft_wrap=True)
    return 0


async def _retry(batch_id: str, base_url: str, key: str) -> int:
    screen = console.Console()
    async with client.Client(base_url, key) as api:
        await api.post(f"/v1/batches/{batch_id}/retry")
        batch = await _watch(api, batch_id, screen)
        batch_screen.ended(screen, batch)
    return 0 if not batch["counts"]["failed"] else 2

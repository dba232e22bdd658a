"""`genqueue batch`: a file of prompts in, a file of results out, from the command line."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich import prompt

from cli import batch_screen, client, exits, screen

app = typer.Typer(name="batch", help="Run every row of a file, and take back a file.", no_args_is_help=True)

OVER = frozenset({"completed", "failed", "cancelled", "expired"})
POLL_SECONDS = 1.0

BatchId = Annotated[str, typer.Argument(help="The batch, `bat_…`.")]
Output = Annotated[Path | None, typer.Option("--out", "--output", "-o", help="The file; its ending says how.")]


@app.command()
@screen.command
async def run(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, TSV, JSON Lines or .xlsx.")],
    template: Annotated[str, typer.Option(help="The prompt, with {{column}} for a row's cells.")] = "",
    model: Annotated[str, typer.Option("--model", "-m", help="The model, unless a column names it.")] = "",
    system: Annotated[str, typer.Option(help="The system message of every row.")] = "",
    parameters: Annotated[str, typer.Option(help='JSON: fields of every request, as {"max_tokens": 200}.')] = "",
    out: Output = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before spending.")] = False,
    json: screen.AsJson = False,
) -> exits.Exit:
    """Try the file, say what it will cost, ask, run it, and save the results beside it."""
    fields = {"template": template, "model": model, "system": system, "parameters": parameters, "dry_run": "true"}
    given = {name: value for name, value in fields.items() if value}
    if json and not yes:
        raise typer.BadParameter("with --json nobody is asked; say --yes.")
    async with screen.connect() as api:
        batch = await _until_read(api, (await api.upload("/v1/batches", file, given))["id"])
        if batch["status"] == "failed":
            return _refused(batch, as_json=json)
        if not json:
            batch_screen.report(screen.out, await api.get(f"/v1/batches/{batch['id']}/report"))
        if not (yes or await _agreed()):
            await api.post(f"/v1/batches/{batch['id']}/cancel")
            screen.out.print("Nothing was run.")
            return exits.Exit.REFUSED
        await api.post(f"/v1/batches/{batch['id']}/start")
        return await _watch_and_save(api, batch["id"], out or beside(file), as_json=json)


@app.command()
@screen.command
async def status(
    batch_id: BatchId,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay until it is over.")] = False,
    json: screen.AsJson = False,
) -> exits.Exit:
    """Say how far a batch is."""
    async with screen.connect() as api:
        path = f"/v1/batches/{batch_id}"
        batch = await (_watch(api, batch_id, quiet=json) if watch else api.get(path))
    _print(batch, as_json=json)
    return _verdict(batch) if watch else exits.Exit.DONE


@app.command()
@screen.command
async def results(batch_id: BatchId, out: Output = None, json: screen.AsJson = False) -> exits.Exit:
    """Save the results so far, as .csv, .jsonl or .parquet."""
    target = out or Path(f"{batch_id}.csv")
    async with screen.connect() as api:
        form = target.suffix.lstrip(".") or "csv"
        size = await api.save(f"/v1/batches/{batch_id}/results", target, format=form)
    if json:
        screen.document({"saved": str(target), "size_bytes": size})
    else:
        _saved(target, size)
    return exits.Exit.DONE


@app.command()
@screen.command
async def retry(batch_id: BatchId, json: screen.AsJson = False) -> exits.Exit:
    """Run the failed and cancelled rows again, and only those."""
    async with screen.connect() as api:
        await api.post(f"/v1/batches/{batch_id}/retry")
        batch = await _watch(api, batch_id, quiet=json)
    _print(batch, as_json=json)
    return _verdict(batch)


def beside(file: Path) -> Path:
    """`prompts.csv` becomes `prompts.results.csv`."""
    return file.with_name(f"{file.stem}.results.csv")


async def _agreed() -> bool:
    return await asyncio.to_thread(prompt.Confirm.ask, "Run it?", console=screen.out, default=False)


def _refused(batch: client.Json, *, as_json: bool) -> exits.Exit:
    if as_json:
        screen.document(batch)
    else:
        batch_screen.refusal(screen.out, batch)
    return exits.Exit.REFUSED


async def _until_read(api: client.Client, batch_id: str) -> client.Json:
    while True:
        batch = await api.get(f"/v1/batches/{batch_id}")
        if batch["status"] != "validating":
            return batch
        await asyncio.sleep(POLL_SECONDS / 4)


async def _watch_and_save(api: client.Client, batch_id: str, target: Path, *, as_json: bool) -> exits.Exit:
    try:
        batch = await _watch(api, batch_id, quiet=as_json)
    except asyncio.CancelledError:
        batch_screen.left_running(screen.hints, batch_id)
        raise
    size = await api.save(f"/v1/batches/{batch_id}/results", target)
    if as_json:
        screen.document(batch | {"saved": str(target)})
    else:
        batch_screen.ended(screen.out, batch)
        _saved(target, size)
    return _verdict(batch)


async def _watch(api: client.Client, batch_id: str, *, quiet: bool) -> client.Json:
    with batch_screen.Bar(screen.hints, quiet=quiet) as bar:
        while True:
            batch = await api.get(f"/v1/batches/{batch_id}")
            bar.show(batch)
            if batch["status"] in OVER:
                return batch
            await asyncio.sleep(POLL_SECONDS)


def _print(batch: client.Json, *, as_json: bool) -> None:
    if as_json:
        screen.document(batch)
    else:
        batch_screen.ended(screen.out, batch)


def _saved(target: Path, size: int) -> None:
    screen.out.print(f"saved {target} ({size:,} bytes)", soft_wrap=True, markup=False)


def _verdict(batch: client.Json) -> exits.Exit:
    whole = batch["counts"]["completed"] == batch["counts"]["total"]
    return exits.Exit.DONE if whole else exits.Exit.NOT_COMPLETED

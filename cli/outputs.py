"""`genqueue download`: a job's outputs as files."""

import mimetypes
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cli import client, exits, screen

Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="File, or an existing folder; several outputs become NAME-0, NAME-1 …"),
]


@screen.command
async def download(
    job_id: Annotated[str, typer.Argument(help="The job, `job_…`.")],
    out: Out = None,
    number: Annotated[int | None, typer.Option("--number", "-n", help="Only this output; 0 is the first.")] = None,
    variant: Annotated[str, typer.Option(help="main, thumbnail or spritesheet.")] = "main",
    json: screen.AsJson = False,
) -> exits.Exit:
    """Save the outputs of a completed job, and check each against its SHA-256."""
    async with screen.connect() as api:
        job = await api.job(job_id)
        wanted = [output for output in job["outputs"] if number in (None, output["number"])]
        if not wanted:
            raise client.ApiError(f"{job_id} is {job['status']} and has no such output.")
        saved = await save(api, job | {"outputs": wanted}, out, variant)
    report(saved, as_json=json)
    return exits.Exit.DONE


async def save(api: client.Client, job: client.Json, out: Path | None, variant: str = "main") -> list[client.Saved]:
    """Save a job's outputs. Raises ApiError, also for bytes that are not those that were recorded."""
    saved = []
    for output, path in _paths(job, out, variant):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = await api.download(job["id"], output["number"], path, variant)
        recorded = (output if variant == "main" else output["variants"][variant])["sha256"]
        if file.sha256 != recorded:
            raise client.ApiError(f"{path} is not what was recorded: its SHA-256 differs.")
        saved.append(file)
    return saved


def report(saved: list[client.Saved], *, as_json: bool) -> None:
    """Say what was saved where."""
    if as_json:
        screen.document([{"path": str(s.path), "size_bytes": s.size_bytes, "sha256": s.sha256} for s in saved])
        return
    for file in saved:
        screen.plain(f"saved {file.path} ({file.size_bytes:,} bytes)")


def _paths(job: client.Json, out: Path | None, variant: str) -> Iterator[tuple[client.Json, Path]]:
    for output in job["outputs"]:
        if variant != "main" and variant not in output["variants"]:
            raise client.ApiError(f"Output {output['number']} has no {variant}.")
        file = output if variant == "main" else output["variants"][variant]
        number = output["number"]
        if out is None or out.is_dir():
            extension = mimetypes.guess_extension(file["media_type"].partition(";")[0]) or ".bin"
            part = "" if variant == "main" else f"-{variant}"
            yield output, (out or Path()) / f"{job['id']}-{number}{part}{extension}"
        elif len(job["outputs"]) == 1:
            yield output, out
        else:
            yield output, out.with_name(f"{out.stem}-{number}{out.suffix}")

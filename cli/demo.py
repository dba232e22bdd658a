"""`genqueue demo`: a video, an image, a text and a fallback through the whole stack, in under a minute."""

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich import console, progress, table

from cli import client
from cli.stack import faults, stack

PROMPT = "a lighthouse at dusk, waves below"


@dataclass(frozen=True, slots=True)
class Wish:
    """One job of the demo, and the file its output goes to."""

    label: str
    kind: str
    file_name: str
    body: client.Json


WISHES = (
    Wish(
        "video",
        "video",
        "video.mp4",
        {"model": "sandbox/video", "prompt": PROMPT, "duration": 4, "size": "1280x720", "seed": 7},
    ),
    Wish("image", "image", "image.png", {"model": "sandbox/image", "prompt": PROMPT, "size": "1024x1024", "seed": 7}),
    Wish("text", "text", "text.txt", {"model": "sandbox/text", "prompt": f"Describe {PROMPT} in a few sentences."}),
    Wish(
        "fallback",
        "video",
        "fallback.mp4",
        {
            "model": "sandbox/video-fail",
            "models": ["sandbox/video"],
            "prompt": PROMPT,
            "duration": 2,
            "size": "640x360",
            "seed": 8,
        },
    ),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What became of one wish."""

    wish: Wish
    job: client.Json
    saved: client.Saved | None

    @property
    def good(self) -> bool:
        """Completed, downloaded, and the very bytes that were recorded."""
        return self.saved is not None and self.saved.sha256 == self.job["outputs"][0]["sha256"]


def demo(
    output: Annotated[Path, typer.Option(help="Folder the results are saved to.")] = Path("demo-output"),
) -> None:
    """Start the stack, make a video, an image, a text and a fallback, save them, and stop the stack."""
    output.mkdir(parents=True, exist_ok=True)
    try:
        good = asyncio.run(_demo(output))
    except (faults.StackError, client.ApiError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from error
    raise typer.Exit(0 if good else 1)


async def _demo(output: Path) -> bool:
    screen = console.Console()
    screen.print("Starting Postgres, Redis, S3, the sandbox provider, the API, the relay and a worker …")
    with tempfile.TemporaryDirectory(prefix="genqueue-demo-", ignore_cleanup_errors=True) as folder:
        async with stack.Stack(data_dir=Path(folder) / "data", temporary=True) as local:
            screen.print(f"Ready at {local.base_url}")
            async with client.Client(local.base_url, local.admin_key) as api:
                shown = await _make_all(api, output, screen)
    _print_table(shown, screen)
    return all(item.good for item in shown)


async def _make_all(api: client.Client, output: Path, screen: console.Console) -> list[Shown]:
    columns = (
        progress.TextColumn("{task.description:<10}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TextColumn("{task.fields[status]}"),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=screen) as bars:
        return list(await asyncio.gather(*(_make(api, wish, output, bars) for wish in WISHES)))


async def _make(api: client.Client, wish: Wish, output: Path, bars: progress.Progress) -> Shown:
    bar = bars.add_task(wish.label, total=100, status="queued")
    receipt = await api.submit(wish.kind, wish.body)
    job: client.Json = receipt
    async for job in api.follow(receipt["id"]):
        bars.update(bar, completed=job["progress"], status=job["status"])
    bars.stop_task(bar)
    if job["status"] != "completed":
        return Shown(wish, job, None)
    return Shown(wish, job, await api.download(job["id"], 0, output / wish.file_name))


def _print_table(shown: list[Shown], screen: console.Console) -> None:
    made = table.Table("job", "tries", table.Column("served by", no_wrap=True), "seconds", "bytes", "USD", "SHA-256")
    for item in shown:
        made.add_row(
            item.wish.label,
            str(len(item.job["attempts"])),
            str(item.job.get("served_model") or item.job["status"]),
            _seconds(item.job),
            f"{item.saved.size_bytes:,}" if item.saved else "-",
            str(item.job["usage"]["cost"]),
            f"{item.saved.sha256[:8]}… ✓" if item.good and item.saved else "NOT RIGHT",
        )
    screen.print(made)
    for item in shown:
        if item.saved:
            screen.print(f"saved {item.saved.path}")


def _seconds(job: client.Json) -> str:
    times = [value for value in (job.get("created_at"), job.get("finished_at")) if value]
    if len(times) < 2:
        return "-"
    begun, ended = (datetime.fromisoformat(value) for value in times)
    return f"{(ended - begun).total_seconds():.1f}"

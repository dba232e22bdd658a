"""`genqueue doctor`: look at each part, and say what to do about each fault."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import console, table

from cli import screen
from shared import settings

if TYPE_CHECKING:
    from shared.services import doctor as services


def doctor(
    data_dir: Annotated[Path, typer.Option(help="Of a stack started by `genqueue up`; else the environment.")] = Path(
        ".genqueue"
    ),
    json: screen.AsJson = False,
) -> None:
    """Check that each part can be reached, is new enough and does its work. Exit code 1 if any does not."""
    env_file = data_dir / "env"
    configured = settings.Settings(_env_file=env_file if env_file.is_file() else None)
    findings = asyncio.run(_examine(configured))
    if json:
        screen.document([plain(finding) for finding in findings])
    else:
        _print(findings)
    raise typer.Exit(0 if all(finding.well for finding in findings) else 1)


async def _examine(configured: settings.Settings) -> "list[services.Finding]":
    # Every `genqueue` command would wait for these.
    from shared.db import engine  # noqa: PLC0415
    from shared.services import doctor as services  # noqa: PLC0415
    from shared.storage import bucket, objects  # noqa: PLC0415

    db = engine.Database(configured.database_url.get_secret_value(), 1, "doctor")
    store = objects.Objects(bucket.location_of(configured))
    try:
        return await services.examine(services.Patient(db, store, configured.redis_url.get_secret_value()))
    finally:
        store.close()
        await db.close()


def plain(finding: "services.Finding") -> dict[str, str | bool]:
    """A finding for scripts."""
    return {"check": finding.check, "well": finding.well, "found": finding.said, "advice": finding.advice}


def _print(findings: "list[services.Finding]") -> None:
    made = table.Table("part", "", "found", "what to do")
    for finding in findings:
        mark = "[green]ok[/green]" if finding.well else "[red]ill[/red]"
        made.add_row(finding.check, mark, finding.said, finding.advice)
    console.Console().print(made)

"""`python -m tests.chaos --seconds 300 --seed 1`: break everything for so long, then check the promises."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from tests.chaos import run


def main(
    seconds: Annotated[float, typer.Option(help="How long to break things.")] = 300,
    seed: Annotated[int, typer.Option(help="Makes load and schedule; the same seed, the same run.")] = 1,
    keep: Annotated[Path | None, typer.Option(help="Keep the logs and the history in this folder.")] = None,
    plan: Annotated[bool, typer.Option(help="Only print the schedule.")] = False,
) -> None:
    """Exit 1 if any promise broke."""
    made = run.Plan.usual(seed, seconds)
    if plan:
        print(*made.schedule(), sep="\n")  # noqa: T201 - a command line prints
        return
    outcome = uvloop.run(run.run(dataclasses.replace(made, keep=keep), _say))
    print(outcome.summary, *outcome.verdict.breaches, outcome.line, sep="\n")  # noqa: T201
    raise typer.Exit(1 if outcome.verdict.breaches else 0)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()

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
    runs: Annotated[int, typer.Option(help="So many runs, each with the next seed.")] = 1,
    keep: Annotated[Path | None, typer.Option(help="Keep the logs and the history in this folder.")] = None,
    plan: Annotated[bool, typer.Option(help="Only print the schedule.")] = False,
) -> None:
    """Exit 1 if any promise broke."""
    plans = [run.Plan.usual(seed + number, seconds) for number in range(runs)]
    if plan:
        print(*(fault for made in plans for fault in made.schedule()), sep="\n")  # noqa: T201 - a command line prints
        return
    outcomes = [_run(made, keep) for made in plans]
    if runs > 1:
        print(*(outcome.line for outcome in outcomes), sep="\n")  # noqa: T201
    raise typer.Exit(1 if any(outcome.verdict.breaches for outcome in outcomes) else 0)


def _run(made: run.Plan, keep: Path | None) -> run.Outcome:
    folder = keep / str(made.seed) if keep else None
    outcome = uvloop.run(run.run(dataclasses.replace(made, keep=folder), _say))
    print(outcome.summary, *outcome.verdict.breaches, outcome.line, sep="\n", flush=True)  # noqa: T201
    return outcome


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()

"""What `genqueue batch` shows."""

from datetime import timedelta
from types import TracebackType
from typing import Self

from rich import console, progress, table

from cli import client

SHOWN_FAULTS = 10
LONGEST_SHOWN = 300


def report(screen: console.Console, found: client.Json) -> None:
    """What the dry run found: rows, faults, samples, price."""
    batch = found["batch"]
    counts, estimate = batch["counts"], batch["estimate"]
    screen.print(f"{batch['source']}: {counts['total']:,} rows, {counts['invalid']:,} faulty", highlight=False)
    for note in batch["notes"]:
        screen.print(note, markup=False)
    for number, sample in enumerate(found["samples"], 1):
        text = sample.get("prompt") or sample["messages"][-1]["content"]
        screen.print(f"{number}. {text[:LONGEST_SHOWN]}", markup=False, highlight=False)
    if found["faulty"]:
        screen.print(faults(found["faulty"][:SHOWN_FAULTS], counts["invalid"]))
    seconds = estimate["seconds"]
    least, most = estimate["least_cost"], estimate["most_cost"]
    cost = f"{most} USD" if least == most else f"{least} to {most} USD"
    time = f", about {timedelta(seconds=round(seconds))}" if seconds else ""
    tokens = f", about {estimate['input_tokens']:,} tokens in" if estimate["input_tokens"] else ""
    screen.print(f"It should cost {cost}{tokens}{time}.", highlight=False)
    if found["budget_suffices"] is False:
        screen.print("The budget does not suffice.")


def faults(rows: list[client.Json], count: int) -> table.Table:
    """Faulty rows, with where and why."""
    made = table.Table("line", "column", "what is wrong", title=f"Faulty rows ({len(rows)} of {count:,})")
    for row in rows:
        made.add_row(str(row["line"]), row["column"] or "", row["message"])
    return made


def refusal(screen: console.Console, batch: client.Json) -> None:
    """Why the file cannot be run."""
    screen.print(f"The file was refused: {batch['error']['message']}", markup=False, highlight=False)


def left_running(screen: console.Console, batch_id: str) -> None:
    """What to say when the caller goes away."""
    screen.print(f"\nThe batch goes on without us. Come back with: genqueue batch status {batch_id} --watch")
    screen.print(f"Take the results with: genqueue batch results {batch_id}", soft_wrap=True)


def ended(screen: console.Console, batch: client.Json) -> None:
    """The batch in a few lines."""
    counts = {name: count for name, count in batch["counts"].items() if count and name != "total"}
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    screen.print(f"{batch['status']}: {said}; {batch['cost']} USD", highlight=False)
    for group in batch["errors"][:SHOWN_FAULTS]:
        column = f" in {group['column']}" if group["column"] else ""
        screen.print(f"  {group['count']:,} x {group['code']}{column}", markup=False, highlight=False)


class Bar:
    """A progress bar with speed, time left and cost."""

    def __init__(self, screen: console.Console, *, quiet: bool) -> None:
        self._progress = progress.Progress(
            progress.TextColumn("{task.fields[status]}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[pace]}"),
            progress.TextColumn("{task.fields[cost]} USD"),
            console=screen,
            disable=quiet,
        )
        self._task = self._progress.add_task("rows", total=None, status="", pace="", cost="0")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, batch: client.Json) -> None:
        """Show the batch as it is now."""
        counts = batch["counts"]
        still_open = counts["queued"] + counts["in_progress"]
        left = batch["seconds_left"]
        ahead = f", {timedelta(seconds=round(left))} left" if left and still_open else ""
        pace = f"{batch['rows_per_second']:.1f} rows/s{ahead}" if batch["rows_per_second"] else ""
        self._progress.update(
            self._task,
            total=counts["total"],
            completed=counts["total"] - still_open,
            status=batch["status"],
            pace=pace,
            cost=batch["cost"],
        )

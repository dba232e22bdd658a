"""`python -m frame.run` (in benchmarks/): every figure, one after the other, and docs/benchmarks.md of what they said.

A figure that breaks is told of, and the others go on; then the exit code is 1. A whole run takes an hour; with
`--into FOLDER` it can be done in pieces: what a figure said last is kept there, and the page is of all that is kept.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from frame import figures, machine

BENCHMARKS = Path(__file__).parent.parent
PAGE = BENCHMARKS.parent / "docs" / "benchmarks.md"
STORY = BENCHMARKS / "frame" / "story.md"
# They have a line of their own to print, or tell of other things than speed.
ALONE = frozenset({"kill_audit"})
Kept = Mapping[str, Any]


def main() -> None:
    """Run them and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", nargs="*", help="only these; the page is left as it is")
    parser.add_argument("--page", action="store_true", help="write the page nevertheless")
    parser.add_argument("--into", type=Path, help="keep the results here, beside those of earlier runs")
    given = parser.parse_args()
    wanted = given.figures
    names = wanted or sorted(path.stem for path in BENCHMARKS.glob("*.py") if path.stem not in ALONE)
    with tempfile.TemporaryDirectory() as passing:
        folder = (given.into or Path(passing)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        broken = [name for name in names if not _run(name, folder)]
        if given.page or not wanted:
            PAGE.write_text(_page(folder, broken))
    sys.exit(bool(broken))


def _run(name: str, folder: Path) -> bool:
    """Whether the figure could be measured. What it printed is in NAME.said, how long it took in NAME.seconds."""
    began = time.monotonic()
    env = {**os.environ, figures.RESULTS: str(folder)}
    done = subprocess.run(  # noqa: S603 - our own files
        [sys.executable, str(BENCHMARKS / f"{name}.py")], env=env, stdout=subprocess.PIPE, text=True, check=False
    )
    sys.stdout.write(done.stdout)
    if done.returncode:
        sys.stdout.write(f"{name} broke\n")
    sys.stdout.flush()
    (folder / f"{name}.said").write_text(done.stdout)
    (folder / f"{name}.seconds").write_text(str(time.monotonic() - began))
    return not done.returncode


def _page(folder: Path, names: Sequence[str]) -> str:
    today = datetime.now(UTC).date().isoformat()
    kept = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    known = {line["name"] for line in kept}
    said = [line for path in sorted(folder.glob("*.said")) for line in path.read_text().splitlines()]
    ours = tuple(path.stem for path in folder.glob("*.said"))  # what else was printed are logs
    printed = [line for line in said if line.startswith(ours) and line.split(" ")[0] not in known]
    seconds = sum(float(path.read_text()) for path in folder.glob("*.seconds"))
    parts = folder / "accept.parts"
    shares = json.loads(parts.read_text()) if parts.exists() else {}
    broken = [f"- {name} broke and has no figure." for name in names]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            f"Written by `make bench` on {today}, in {seconds / 60:.0f} minutes; not by hand. Read the ratios: each",
            "figure was measured in turns with its yardstick, on the machine below, and is the median of the rounds.",
            "",
            *machine.description(),
            *broken,
            "",
            "| figure | ratio | target | reached | yardstick | measured | unit | against | load |",
            "| --- | ---: | ---: | --- | ---: | ---: | --- | --- | ---: |",
            *(_row(line) for line in kept),
            "",
            "Other lines that were printed, as `name ratio yardstick measured target`:",
            "",
            *(f"    {line}" for line in printed),
            "",
            *_shares(shares),
            STORY.read_text().rstrip(),
            "",
        ]
    )


def _row(line: Kept) -> str:
    sign, ratio, target = ("≤" if line["at_most"] else "≥"), line["ratio"], line["target"]
    reached = "yes" if (ratio <= target if line["at_most"] else ratio >= target) else "**no**"
    notes = "".join(f"; {name} {value:,.3g}" for name, value in line["notes"].items())
    return (
        f"| {line['name']} | {ratio:.2f} | {sign} {target:g} | {reached} | {line['yardstick']:,.3g} |"
        f" {line['measured']:,.3g} | {line['unit']} | {line['against']}{notes} | {line['load']:.1f} |"
    )


def _shares(shares: Mapping[str, float]) -> list[str]:
    if not shares:
        return []
    return [
        "## Where the time of one accept goes",
        "",
        "CPU of the API process by py-spy's samples, in microseconds a request, at 32 connections:",
        "",
        "| part | µs |",
        "| --- | ---: |",
        *(f"| {part} | {micros:,.0f} |" for part, micros in shares.items()),
        f"| all | {sum(shares.values()):,.0f} |",
        "",
    ]


if __name__ == "__main__":
    main()

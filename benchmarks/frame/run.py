"""`python -m frame.run` (in benchmarks/): every figure, one after the other, and docs/benchmarks.md of what they said.

A figure that breaks is told of, and the others go on; then the exit code is 1.
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
    parser.add_argument("--page", action="store_true", help="write the page of these figures only")
    given = parser.parse_args()
    wanted = given.figures
    names = wanted or sorted(path.stem for path in BENCHMARKS.glob("*.py") if path.stem not in ALONE)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        said = {name: _run(name, Path(folder)) for name in names}
        kept = [json.loads(path.read_text()) for path in sorted(Path(folder).glob("*.json"))]
        parts = Path(folder) / "accept.parts"
        shares = json.loads(parts.read_text()) if parts.exists() else {}
    if given.page or not wanted:
        PAGE.write_text(_page(said, kept, shares, time.monotonic() - began))
    sys.exit(any(lines is None for lines in said.values()))


def _run(name: str, folder: Path) -> list[str] | None:
    """The lines a figure printed; None if it broke."""
    env = {**os.environ, figures.RESULTS: str(folder)}
    done = subprocess.run(  # noqa: S603 - our own files
        [sys.executable, str(BENCHMARKS / f"{name}.py")], env=env, stdout=subprocess.PIPE, text=True, check=False
    )
    sys.stdout.write(done.stdout)
    if done.returncode:
        sys.stdout.write(f"{name} broke\n")
    sys.stdout.flush()
    return None if done.returncode else done.stdout.splitlines()


def _page(
    said: Mapping[str, Sequence[str] | None], kept: Sequence[Kept], shares: Mapping[str, float], seconds: float
) -> str:
    today = datetime.now(UTC).date().isoformat()
    known = {line["name"] for line in kept}
    printed = [line for lines in said.values() for line in lines or () if line.split(" ")[0] not in known]
    broken = [f"- {name} broke and has no figure." for name, lines in said.items() if lines is None]
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

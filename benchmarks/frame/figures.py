"""One figure: measured in rounds beside its yardstick, printed as one line, and kept for docs/benchmarks.md."""

import json
import os
import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

RESULTS = "GENQUEUE_BENCH_RESULTS"
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Line:
    """`ratio` is what is held against `target`: at least that much, or at most if `at_most`."""

    name: str
    ratio: float
    yardstick: float
    measured: float
    target: float
    unit: str
    against: str
    at_most: bool = False
    notes: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        """Whether the target was met."""
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


def tell(line: Line) -> None:
    """Print the line, `name ratio yardstick measured target`, and keep it if a whole run collects them."""
    sign = "<=" if line.at_most else ">="
    notes = " ".join(f"{name}={_short(value)}" for name, value in line.notes.items())
    numbers = f"{line.ratio:.2f} {_short(line.yardstick)} {_short(line.measured)} {sign}{line.target:g}"
    print(f"{line.name} {numbers}" + (f"  # {line.unit}; {notes}" if notes else f"  # {line.unit}"), flush=True)
    folder = os.environ.get(RESULTS)
    if folder:
        kept = asdict(line) | {"load": os.getloadavg()[0]}
        (Path(folder) / f"{line.name}.json").write_text(json.dumps(kept))


async def in_turns(*measured: Callable[[], Awaitable[float]], rounds: int = ROUNDS) -> tuple[Sequence[float], ...]:
    """Each of these in turn, `rounds` times over: whatever else the machine does, it does to all of them."""
    found: list[list[float]] = [[] for _ in measured]
    for _ in range(rounds):
        for place, measure in enumerate(measured):
            found[place].append(await measure())
    return tuple(found)


def median(values: Sequence[float]) -> float:
    """The one in the middle."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all do not pass."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _short(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"

"""A figure whose two halves are rates: measured in turns, their ratios' median told."""

from collections.abc import Awaitable, Callable, Mapping

from frame import figures

Rate = Callable[[], Awaitable[float]]


async def tell(name: str, target: float, unit: str, against: str, bare: Rate, ours: Rate, **more: object) -> None:
    """Measure `bare` and `ours` in turns and tell the line. `more`: rounds, and notes (a mapping, read at the end)."""
    rounds, notes = more.get("rounds", figures.ROUNDS), more.get("notes", dict)
    assert isinstance(rounds, int)
    yardsticks, measured = await figures.in_turns(bare, ours, rounds=rounds)
    ratio = figures.median([one / other for other, one in zip(yardsticks, measured, strict=True)])
    told: Mapping[str, float | str] = notes() if callable(notes) else {}
    figures.tell(
        figures.Line(
            name, ratio, figures.median(yardsticks), figures.median(measured), target, unit, against, notes=told
        )
    )

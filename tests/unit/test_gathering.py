"""Work done together: everybody gets an answer, whoever else comes, fails or goes at that moment."""

import asyncio
from collections.abc import Sequence

import pytest

from shared import gathering

DEADLINE_SECONDS = 60


async def double(items: Sequence[int]) -> list[int]:
    return [2 * item for item in items]


async def test_nobody_is_forgotten_however_the_groups_end() -> None:
    made = gathering.Gathering(double)

    async def ask_again_and_again(first: int) -> list[int]:
        return [await made.do(first + step) for step in range(50)]

    async with asyncio.timeout(DEADLINE_SECONDS):
        answers = await asyncio.gather(*(ask_again_and_again(100 * first) for first in range(20)))
    assert answers == [[2 * (100 * first + step) for step in range(50)] for first in range(20)]


async def test_what_must_be_apart_is_never_in_one_group() -> None:
    groups: list[list[str]] = []

    async def note(items: Sequence[str]) -> list[str]:
        groups.append(list(items))
        return list(items)

    made = gathering.Gathering(note, lambda item: item[0] if item != "-" else None)
    asked = ["a1", "a2", "b1", "-", "-", "a3"]
    assert await asyncio.gather(*(made.do(item) for item in asked)) == asked
    assert sorted(item for group in groups for item in group) == sorted(asked)
    assert all(
        len({item[0] for item in group if item != "-"}) == sum(item != "-" for item in group) for group in groups
    )


async def test_an_error_is_everybodys_of_its_group_and_nobody_elses() -> None:
    async def fail_on_zero(items: Sequence[int]) -> list[int]:
        return [1 // item for item in items]

    made = gathering.Gathering(fail_on_zero)
    with pytest.raises(ZeroDivisionError):
        await made.do(0)
    assert await made.do(1) == 1


async def test_who_has_gone_is_not_worked_for() -> None:
    seen: list[int] = []

    async def note(items: Sequence[int]) -> list[int]:
        seen.extend(items)
        return list(items)

    made = gathering.Gathering(note)
    waiting = [asyncio.ensure_future(made.do(number)) for number in range(3)]
    waiting[1].cancel()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(waiting[0], waiting[2])
        assert await made.do(9) == 9
    assert 1 not in seen

"""Tests wait for a signal with a deadline. A sleep is too short on a bad day and too long on every other."""

import ast
from collections.abc import Iterator

import pytest

from tests.conventions import tree

SLEEPS = frozenset({"time.sleep", "asyncio.sleep", "anyio.sleep", "sleep"})


def sleeps(module: ast.Module) -> Iterator[int]:
    """The lines that sleep. `asyncio.sleep(0)` only lets others run and is no sleep."""
    for name, call in tree.calls(module):
        yields_only = len(call.args) == 1 and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
        if name in SLEEPS and not yields_only:
            yield call.lineno


def test_no_test_sleeps() -> None:
    found = [f"{tree.shown(path)}:{line}" for path in tree.files(*tree.TESTS) for line in sleeps(tree.parse(path))]
    assert not found


@pytest.mark.parametrize(
    ("source", "asleep"),
    [
        ("time.sleep(1)", True),
        ("await asyncio.sleep(0.1)", True),
        ("await asyncio.sleep(pause)", True),
        ("from time import sleep\nsleep(2)", True),
        ("await asyncio.sleep(0)", False),
        ("await ready.wait()", False),
    ],
)
def test_a_sleep_is_recognised(source: str, asleep: bool) -> None:
    assert bool(list(sleeps(ast.parse(source)))) is asleep

"""Our own code is imported as modules, so that every use says where a name comes from: `jobs.Job`, not `Job`."""

import ast
from collections.abc import Iterator

import pytest

from tests.conventions import tree


def names_imported(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Every `from ours import y` where y is not a module, and every relative import."""
    for node in ast.walk(module):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            yield node.lineno, f"relative import of {node.module or '.'}"
        elif node.module and tree.is_ours(node.module):
            for alias in node.names:
                if not tree.is_module(f"{node.module}.{alias.name}"):
                    yield node.lineno, f"from {node.module} import {alias.name}"


def test_our_own_code_is_imported_as_modules() -> None:
    found = [
        f"{tree.shown(path)}:{line} {what}"
        for path in tree.files(*tree.CODE, *tree.TESTS)
        for line, what in names_imported(tree.parse(path))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "breaks"),
    [
        ("from shared.domain.states import JobStatus", True),
        ("from . import states", True),
        ("from shared.domain import states", False),
        ("from __future__ import annotations", False),
        ("from collections.abc import Mapping", False),
        ("import shared.clock", False),
    ],
)
def test_the_rule_tells_names_from_modules(source: str, breaks: bool) -> None:
    assert bool(list(names_imported(ast.parse(source)))) is breaks

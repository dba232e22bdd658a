"""Functions and files stay short. There is no list of exceptions."""

import ast

import pytest

from tests.conventions import tree

CODE_LINES = (40, 300)
TEST_LINES = (60, 400)


def too_long(source: str, name: str, function_lines: int, file_lines: int) -> list[str]:
    found = [f"{name}: {lines} lines, {file_lines} at most"] if (lines := len(source.splitlines())) > file_lines else []
    for function in tree.functions(ast.parse(source)):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        if length > function_lines:
            found.append(f"{name}:{function.lineno} {function.name}: {length} lines, {function_lines} at most")
    return found


@pytest.mark.parametrize(("folders", "limits"), [(tree.CODE, CODE_LINES), (tree.TESTS, TEST_LINES)])
def test_every_function_and_file_is_short(folders: tuple[str, ...], limits: tuple[int, int]) -> None:
    found = [line for path in tree.files(*folders) for line in too_long(path.read_text(), tree.shown(path), *limits)]
    assert not found, "\n".join(found)


def test_a_long_function_and_a_long_file_are_seen() -> None:
    source = "async def long():\n" + "    pass\n" * 40
    assert too_long(source, "planted", 40, 300) == ["planted:1 long: 41 lines, 40 at most"]
    assert too_long("x = 1\n" * 301, "planted", 40, 300) == ["planted: 301 lines, 300 at most"]

"""A module is named after what it is about; a drawer for odds and ends has no name."""

from pathlib import Path

from tests.conventions import tree

DRAWERS = frozenset(
    word + ending for word in ("util", "helper", "common", "manager", "misc", "tool") for ending in ("", "s")
)


def is_drawer(path: Path) -> bool:
    return any(word in DRAWERS for part in path.with_suffix("").parts for word in part.lower().split("_"))


def test_no_module_or_folder_is_a_drawer() -> None:
    found = [tree.shown(path) for path in tree.files(*tree.CODE, *tree.TESTS) if is_drawer(path.relative_to(tree.ROOT))]
    assert not found


def test_drawers_are_recognised() -> None:
    assert is_drawer(Path("shared/utils.py"))
    assert is_drawer(Path("api/http_helpers.py"))
    assert is_drawer(Path("common/jobs.py"))
    assert not is_drawer(Path("shared/domain/jobs.py"))

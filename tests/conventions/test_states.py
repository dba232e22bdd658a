"""docs/states.md draws every arrow of the state tables and no other, and names functions that exist."""

import re
from collections.abc import Iterator

from shared.domain import batches, states
from tests.conventions import tree

PAGE = tree.ROOT / "docs/states.md"
UNMADE = "Allowed, not made yet"
ROW = re.compile(r"^\| `(\w+)` \| `(\w+)` \| (.+?) \|", re.MULTILINE)


def section(title: str) -> str:
    return PAGE.read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def drawn(title: str) -> set[tuple[str, str]]:
    return {(before, after) for before, after, _ in ROW.findall(section(title))}


def functions_named() -> Iterator[str]:
    for _, _, cell in ROW.findall(PAGE.read_text()):
        yield from re.findall(r"`(\w+\.\w+)`", cell)


def has_function(name: str) -> bool:
    module, function = name.split(".")
    path = tree.ROOT / "shared/services" / f"{module}.py"
    return path.is_file() and function in {found.name for found in tree.functions(tree.parse(path))}


def test_every_arrow_of_a_job_is_drawn() -> None:
    assert drawn("Jobs") == {(before, after) for before, ends in states.JOB_ARROWS.items() for after in ends}


def test_every_arrow_of_an_attempt_is_drawn_once() -> None:
    arrows = {(before, after) for before, ends in states.ATTEMPT_ARROWS.items() for after in ends}
    assert drawn("Attempts") | drawn(UNMADE) == arrows
    assert drawn("Attempts") & drawn(UNMADE) == set()


def test_every_arrow_of_a_batch_is_drawn() -> None:
    assert drawn("Batches") == {(before, after) for before, ends in batches.BATCH_ARROWS.items() for after in ends}


def test_every_arrow_names_functions_that_exist() -> None:
    made = ROW.findall(section("Jobs") + section("Attempts") + section("Batches"))
    assert all(re.search(r"`\w+\.\w+`", cell) for _, _, cell in made)
    assert {cell for _, _, cell in ROW.findall(section(UNMADE))} <= {"nobody yet"}
    assert [name for name in functions_named() if not has_function(name)] == []
    assert not has_function("jobs.nothing")

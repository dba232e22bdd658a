"""Settings are read where a process is put together, and handed on from there; `.env.example` lists them all."""

import ast
from pathlib import PurePosixPath

import pytest

from tests.conventions import generated, tree

# A composition root is a module that a process starts with, or that builds its application.
ROOT_NAMES = frozenset({"__main__.py", "app.py"})
ROOT_FILES = frozenset({"workers/relay.py", "shared/db/migrate.py"})


def is_root(path: str) -> bool:
    parts = PurePosixPath(path)
    return path in ROOT_FILES or parts.name in ROOT_NAMES or parts.parts[0] == "cli"


def reads_settings(module: ast.Module) -> bool:
    return any(name in {"settings.load", "settings.Settings"} for name, _ in tree.calls(module))


def test_only_composition_roots_read_settings() -> None:
    readers = [tree.shown(path) for path in tree.files(*tree.PACKAGES) if reads_settings(tree.parse(path))]
    assert [reader for reader in readers if not is_root(reader)] == []


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("api/app.py", True),
        ("workers/__main__.py", True),
        ("cli/stack/up.py", True),
        ("shared/services/jobs.py", False),
        ("api/native/jobs.py", False),
    ],
)
def test_composition_roots_are_recognised(path: str, root: bool) -> None:
    assert is_root(path) is root
    assert reads_settings(ast.parse("known = settings.load()"))


def reads_environment(module: ast.Module) -> bool:
    return any(ast.unparse(node) in {"os.environ", "os.getenv"} for node in ast.walk(module))


def test_nothing_but_the_settings_and_the_command_line_reads_the_environment() -> None:
    readers = [
        tree.shown(path) for path in tree.files("api", "shared", "workers") if reads_environment(tree.parse(path))
    ]
    assert readers == []
    assert reads_environment(ast.parse("import os\nhome = os.environ['HOME']"))
    assert reads_environment(ast.parse("home = os.getenv('HOME')"))


def test_env_example_lists_every_variable_with_its_default_and_sentence() -> None:
    assert (tree.ROOT / ".env.example").read_text() == generated.env_example(), "run: make openapi"

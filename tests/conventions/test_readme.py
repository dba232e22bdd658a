"""What the README and the documents say to type exists, and what they link to is there."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

import cli.main
from tests.conventions import tree

README = tree.ROOT / "README.md"
PAGES = (README, tree.ROOT / "CHANGELOG.md", *sorted((tree.ROOT / "docs").rglob("*.md")))
FENCE = re.compile(r"^```(console|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
SHELL_WORDS = frozenset({"export", "cd", "git", "cat", "echo", "printf", "python3", "source"})


def commands(text: str) -> Iterator[str]:
    """Every command of the fenced blocks: lines after `$ ` in console, all lines in sh, continuations joined."""
    for language, block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if language == "console" and not line.startswith("$ "):
                continue
            if command := line.removeprefix("$ ").strip():
                yield command


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (tree.ROOT / "Makefile").read_text(), re.MULTILINE))


def subcommands() -> set[str]:
    return set(getattr(typer.main.get_command(cli.main.app), "commands", {}))


def is_route(command: str) -> bool:
    """Whether the curl command names a path and a method that the API has."""
    paths = json.loads((tree.ROOT / "docs/openapi.json").read_text())["paths"]
    asked = re.search(r"\$(?:GENQUEUE_)?URL(/[^\s\"?]*)", command)
    method = "post" if re.search(r"\s-[dF]\b|-X POST", command) else "delete" if "-X DELETE" in command else "get"
    patterns = (re.sub(r"\{[^}]+\}", "[^/]+", path) for path, methods in paths.items() if method in methods)
    return asked is not None and any(re.fullmatch(pattern, asked[1]) for pattern in patterns)


def exists(command: str) -> bool:
    if inner := re.fullmatch(r"[A-Z]+=\$\((.*)\)", command):
        return exists(inner[1])
    program, *arguments = re.sub(r"^(?:until |[A-Z_]+=(?:\$\(.*?\)|\S+) )+", "", command).split()
    if program == "make":
        return all(word in make_targets() for word in arguments if "=" not in word)
    if program == "genqueue":
        return bool(arguments) and arguments[0] in subcommands()
    if program == "curl":
        return is_route(command)
    return program in SHELL_WORDS


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=tree.shown)
def test_every_command_exists(page: Path) -> None:
    assert [command for command in commands(page.read_text()) if not exists(command)] == []


def test_the_readme_shows_the_demo_the_tests_and_curl() -> None:
    shown = list(commands(README.read_text()))
    assert {"make demo", "make test"} <= set(shown)
    assert sum(command.startswith("curl ") for command in shown) >= 3


@pytest.mark.parametrize(
    "command",
    [
        "make nothing",
        "genqueue nothing",
        "genqueue",
        "curl $URL/v1/nothing",
        "curl -X DELETE $URL/v1/models",
        "frobnicate",
    ],
)
def test_what_does_not_exist_is_seen(command: str) -> None:
    assert not exists(command)


def test_commands_are_found_in_fences_only() -> None:
    text = "```console\n$ make demo\noutput\n```\nmake not\n```sh\ncurl \\\n  $URL/x\n```\n```\nmake not\n```\n"
    assert [command.split() for command in commands(text)] == [["make", "demo"], ["curl", "$URL/x"]]


@pytest.mark.parametrize("page", PAGES, ids=tree.shown)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


def test_every_make_target_says_what_it_does() -> None:
    text = (tree.ROOT / "Makefile").read_text()
    declared = set(re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split())
    assert declared == set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))

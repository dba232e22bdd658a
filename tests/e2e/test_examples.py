"""Every example of docs/cli.md runs, in a folder beside a running stack."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from cli.stack import stack
from tests.conventions import test_readme, tree

# Ends the script at the first command that fails, and says which.
HEAD = "set -euo pipefail; trap 'echo \"failed: $BASH_COMMAND\" >&2' ERR\n"
DEADLINE_SECONDS = 110


PAGE = (tree.ROOT / "docs/cli.md").read_text()
# Each part of the page stands alone: what it names, it has made.
PARTS = {
    title: examples
    for title, examples in (
        (part.partition("\n")[0], list(test_readme.commands(part))) for part in PAGE.removeprefix("# ").split("\n## ")
    )
    if examples
}
LEFT_BEHIND = {
    "The command line": ["lighthouse.mp4"],
    "Jobs": ["boat.mp4"],
    "Batches": ["cities.csv", "cities.jsonl", "cities.results.csv"],
}


@pytest.mark.parametrize("title", PARTS)
async def test_every_example_of_the_command_line_runs(running: stack.Stack, tmp_path: Path, title: str) -> None:
    (tmp_path / ".genqueue").symlink_to(running.data_dir)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GENQUEUE_")}
    path = f"{Path(sys.executable).parent}:{clean['PATH']}"
    started = await asyncio.create_subprocess_exec(
        "bash",
        *("-c", HEAD + "\n".join(PARTS[title])),
        cwd=tmp_path,
        env=clean | {"PATH": path, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(started.communicate(), DEADLINE_SECONDS)
    assert started.returncode == 0, said.decode()
    made = sizes(tmp_path)
    assert sorted(made) == LEFT_BEHIND.get(title, [])
    assert all(made.values())


def sizes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in folder.iterdir() if file.is_file()}


def test_the_examples_are_found() -> None:
    assert {"Jobs", "Batches", "Keys and receivers", "The stack"} < set(PARTS)
    assert sum(len(examples) for examples in PARTS.values()) > 20

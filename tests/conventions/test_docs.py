"""The documents build as a site without a warning, name every command and exit code, and show pictures that exist."""

import re
import subprocess
import sys
from pathlib import Path

from cli import exits
from tests.conventions import test_readme, tree


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=tree.ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert (tmp_path / "quickstart" / "index.html").is_file()


def test_the_page_of_the_command_line_names_every_command_and_exit_code() -> None:
    page = (tree.ROOT / "docs/cli.md").read_text()
    named = set(re.findall(r"^\| `genqueue ([a-z]+)` \|", page, re.MULTILINE))
    assert named == test_readme.subcommands()
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", page, re.MULTILINE))
    assert rows == {str(code.value): meaning for code, meaning in exits.MEANINGS.items()}


def test_nothing_on_the_site_comes_from_elsewhere() -> None:
    config = (tree.ROOT / "mkdocs.yml").read_text()
    assert "font: false" in config
    assert "http" not in config

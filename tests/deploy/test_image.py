"""The image's recipe, looked at by hadolint, and compose's file by its own schema. Neither needs a Docker engine."""

import subprocess
import sys
from pathlib import Path

from tests.conventions import tree

HADOLINT = Path(sys.executable).with_name("hadolint")


def lint(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HADOLINT, path], capture_output=True, text=True, timeout=60, check=False)


def test_the_dockerfile_has_no_fault() -> None:
    ran = lint(tree.ROOT / "deploy" / "Dockerfile")
    assert ran.returncode == 0, ran.stdout


def test_a_fault_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd /tmp && sudo apt-get install x\n")
    ran = lint(tmp_path / "Dockerfile")
    assert ran.returncode != 0
    assert "DL3004" in ran.stdout

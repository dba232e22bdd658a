"""The layers hold, and each contract that says so can fail: a violation planted in a copy of the tree is found."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conventions import tree


@dataclasses.dataclass(frozen=True, slots=True)
class Planted:
    """One line in one new file, and the contract it breaks."""

    contract: str
    path: str
    line: str


EDGES = "Edges stand on services; services on adapters; adapters on the domain; the domain on the floor"
PLANTED = (
    Planted(EDGES, "api/planted.py", "import workers"),
    Planted(EDGES, "workers/planted.py", "import api"),
    Planted(EDGES, "shared/services/planted.py", "import api"),
    Planted(EDGES, "shared/services/planted.py", "import workers"),
    Planted(EDGES, "shared/db/planted.py", "import shared.services"),
    Planted(EDGES, "shared/db/planted.py", "import shared.storage"),
    Planted(EDGES, "shared/queues/planted.py", "import shared.db"),
    Planted(EDGES, "shared/domain/planted.py", "import shared.catalog"),
    Planted(EDGES, "shared/clock.py", "import shared.domain"),
    Planted(EDGES, "shared/ids.py", "import shared.clock"),
    Planted(EDGES, "workers/planted.py", "import cli"),
    Planted("FastAPI stays in the API", "shared/services/planted.py", "import fastapi"),
    Planted("FastAPI stays in the API", "workers/planted.py", "import fastapi"),
    Planted("Celery stays in the workers", "api/planted.py", "import celery"),
    Planted("Celery stays in the workers", "shared/queues/planted.py", "import celery"),
    Planted("The domain does no I/O", "shared/domain/planted.py", "import httpx"),
    Planted("The domain does no I/O", "shared/domain/planted.py", "import asyncio"),
    Planted("boto3 stays behind the storage adapter", "shared/services/planted.py", "import boto3"),
    Planted("boto3 stays behind the storage adapter", "api/planted.py", "import botocore"),
    Planted("SQL stays behind the database adapter", "shared/services/planted.py", "import sqlalchemy"),
    Planted("SQL stays behind the database adapter", "api/planted.py", "import asyncpg"),
)


def lint_imports(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [command, "--no-cache", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in tree.PACKAGES:
        shutil.copytree(tree.ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(tree.ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def plant(folder: Path, planted: Planted) -> None:
    target = folder / planted.path
    before = target.read_text() if target.exists() else ""
    target.write_text(f"{before}\n{planted.line}\n")


def contracts() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tree.pyproject()["tool"]["importlinter"]["contracts"]
    return found


def test_the_layers_hold() -> None:
    done = lint_imports(tree.ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_in_shared_has_a_layer() -> None:
    layers = next(contract["layers"] for contract in contracts() if contract["name"] == EDGES)
    placed = {name for layer in layers for name in layer.split(" | ") if name.startswith("shared.")}
    folder = tree.ROOT / "shared"
    assert placed == {f"shared.{path.stem}" for path in folder.iterdir() if (path / "__init__.py").is_file()} | {
        f"shared.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__"
    }


def test_every_contract_has_a_planted_violation() -> None:
    assert {planted.contract for planted in PLANTED} == {contract["name"] for contract in contracts()}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: f"{planted.path}: {planted.line}")
def test_a_planted_violation_breaks_its_contract(copy: Path, planted: Planted) -> None:
    plant(copy, planted)
    done = lint_imports(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{planted.contract} BROKEN" in done.stdout

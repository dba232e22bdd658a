"""A wire dialect is one folder under `api/` and nothing else: nobody names it, and it names no other."""

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import api
from api import dialects
from tests.conventions import surface, tree

API = tree.ROOT / "api"
FOLDERS = sorted(path.parent.name for path in API.glob("*/dialect.py"))
# Other ways of speaking to us, which a dialect must not lean on.
EDGES = ("native", "dashboard", "operations")
THIRD = """
import fastapi
from api import auth, dialects, routing

router = fastapi.APIRouter(prefix="/third", route_class=routing.DialectRoute, include_in_schema=False)


@router.get("/things")
async def list_things(caller: auth.Authenticated) -> list[str]:
    return [caller.key_id]


def respond(error, request_id, headers):
    return fastapi.Response(f"third: {error.code}", error.status, dict(headers), "text/plain")


DIALECT = dialects.Dialect(prefix="/third", routers=(router,), error=respond)
"""
WITHOUT = """
import json
from tests.conventions import surface
print(json.dumps(sorted(route.path for route in surface.routes(surface.application()))))
"""


def imports(module: ast.Module) -> Iterator[str]:
    """Every module that is named, `from a import b` as both `a` and `a.b`."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_of(name: str, folder: str) -> bool:
    return name == f"api.{folder}" or name.startswith(f"api.{folder}.")


def prefix_of(folder: str) -> str:
    [prefix] = [one.prefix for one in dialects.find() if one.error.__module__.startswith(f"api.{folder}.")]
    return prefix


def outsiders(folder: str) -> list[str]:
    """Files of the code outside of a dialect that name it."""
    return [
        tree.shown(path)
        for path in tree.files(*tree.CODE)
        if not path.is_relative_to(API / folder) and any(is_of(name, folder) for name in imports(tree.parse(path)))
    ]


def test_there_are_dialects_and_the_app_finds_them_itself() -> None:
    assert {"openai", "openrouter"} <= set(FOLDERS)
    assert len(dialects.find()) == len(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_nobody_names_a_dialect(folder: str) -> None:
    assert outsiders(folder) == []


def test_naming_one_is_seen() -> None:
    for line in ("import api.openai.videos", "from api import openai", "from api.openai import videos"):
        assert any(is_of(name, "openai") for name in imports(ast.parse(line)))
    assert not any(is_of(name, "openai") for name in imports(ast.parse("from shared.domain import openai_lines")))


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_dialect_leans_on_no_other_way_of_speaking(folder: str) -> None:
    others = [name for name in (*FOLDERS, *EDGES) if name != folder]
    for path in (API / folder).glob("*.py"):
        named = [name for name in imports(tree.parse(path)) for other in others if is_of(name, other)]
        assert named == [], tree.shown(path)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_dialects_prefix_is_spelt_in_its_folder_only(folder: str) -> None:
    prefix = prefix_of(folder)
    spelt = [
        tree.shown(path)
        for path in tree.files("api")
        if not path.is_relative_to(API / folder)
        for node in ast.walk(tree.parse(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(f"{prefix}/")
    ]
    assert spelt == []


async def test_a_third_dialect_is_one_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "third"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "dialect.py").write_text(THIRD)
    monkeypatch.setattr(api, "__path__", [*api.__path__, str(tmp_path)])
    try:
        made = surface.application()
    finally:
        for name in ("api.third.dialect", "api.third"):
            sys.modules.pop(name, None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(made), base_url="http://test") as client:
        refused = await client.get("/third/things")
        missing = await client.get("/third/nothing")
        others = await client.get("/openai/v1/nothing")
    assert (refused.status_code, refused.text) == (401, "third: unauthenticated")
    assert (missing.status_code, missing.text) == (404, "third: not_found")
    assert others.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_dialect_can_be_deleted_as_a_folder(tmp_path: Path, folder: str) -> None:
    for package in (*tree.PACKAGES, *tree.TESTS):
        shutil.copytree(tree.ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(tree.ROOT / "pyproject.toml", tmp_path)
    shutil.rmtree(tmp_path / "api" / folder)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    paths = json.loads(done.stdout.splitlines()[-1])  # before it, warnings may stand
    assert not [path for path in paths if path.startswith(f"{prefix_of(folder)}/")]
    assert "/v1/videos" in paths

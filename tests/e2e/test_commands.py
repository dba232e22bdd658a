"""`genqueue submit`, `watch`, `list` … as a person types them, against the whole stack."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli import exits
from cli.stack import stack

GENQUEUE = Path(sys.executable).with_name("genqueue")


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


Run = Callable[..., Awaitable[Ran]]


@pytest.fixture
def run(running: stack.Stack, tmp_path: Path) -> Run:
    """Runs the command in an empty folder, with the stack's URL and key unless told otherwise."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GENQUEUE_")}
    clean["XDG_CONFIG_HOME"] = str(tmp_path / "config")

    async def genqueue(*words: str, folder: Path = tmp_path, env: dict[str, str] | None = None) -> Ran:
        given = {"GENQUEUE_URL": running.base_url, "GENQUEUE_API_KEY": running.admin_key} if env is None else env
        started = await asyncio.create_subprocess_exec(
            GENQUEUE,
            *words,
            cwd=folder,
            env=clean | given,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(started.communicate(), 100)
        return Ran(started.returncode or 0, out.decode(), err.decode())

    return genqueue


async def test_the_first_thing_a_new_user_types(run: Run, tmp_path: Path) -> None:
    ran = await run("submit", "video", "a lighthouse at dusk", "-d", "1", "--wait", "--out", "lighthouse.mp4")
    assert ran.code == exits.Exit.DONE, ran.err
    assert (tmp_path / "lighthouse.mp4").read_bytes()[4:8] == b"ftyp"
    assert names(tmp_path) == ["lighthouse.mp4"]


async def test_a_text_is_printed_and_nothing_else_is_on_stdout(run: Run) -> None:
    ran = await run("submit", "text", "three rivers", "--wait")
    assert ran.code == exits.Exit.DONE
    assert "rivers" in ran.out
    assert "job_" not in ran.out


async def test_an_id_goes_from_command_to_command(run: Run, tmp_path: Path) -> None:
    submitted = await run("submit", "image", "a heron", "-n", "2", "--metadata", "order=17")
    job_id = submitted.out.strip()
    assert (await run("watch", job_id, "--json")).document["status"] == "completed"
    listed = await run("list", "--metadata", "order=17", "--json")
    assert [job["id"] for job in listed.document] == [job_id]
    saved = (await run("download", job_id, "--out", "heron.png", "--json")).document
    assert [Path(file["path"]).name for file in saved] == ["heron-0.png", "heron-1.png"]
    assert all((tmp_path / file["path"]).stat().st_size == file["size_bytes"] for file in saved)
    again = await run("rerun", job_id, "--wait", "--json")
    assert again.document["rerun_of"] == job_id
    shown = await run("get", job_id, "--request")
    assert "a heron" in shown.out


async def test_a_failed_and_a_cancelled_job_are_told_from_a_finished_one(run: Run) -> None:
    failed = await run("submit", "video", "x", "--model", "sandbox/video-refuse", "--wait", "--out", "x.mp4")
    assert failed.code == exits.Exit.NOT_COMPLETED
    assert "content_policy" in failed.out
    running = (await run("submit", "video", "x", "--model", "sandbox/video-slow", "--json")).document
    assert (await run("cancel", running["id"], "--json")).document[0]["cancel_requested_at"]
    watched = await run("watch", running["id"], "--json")
    assert (watched.code, watched.document["status"]) == (exits.Exit.NOT_COMPLETED, "cancelled")


async def test_every_way_not_to_get_through_has_its_code_and_sentence(run: Run, running: stack.Stack) -> None:
    refused = await run("submit", "video", "x", "--duration", "77")
    assert refused.code == exits.Exit.REFUSED
    assert "Accepted: 4, 1, 2" in refused.err
    assert (await run("submit", "video", "x", "--metadata", "nonsense")).code == exits.Exit.USAGE
    assert (await run("list", env={})).code == exits.Exit.NO_KEY
    wrong = {"GENQUEUE_API_KEY": "wrong-key", "GENQUEUE_URL": running.base_url}
    assert (await run("list", env=wrong)).code == exits.Exit.NO_KEY
    away = {"GENQUEUE_API_KEY": "any-key", "GENQUEUE_URL": "http://127.0.0.1:1"}
    assert (await run("list", env=away)).code == exits.Exit.UNREACHABLE


async def test_models_are_listed_with_their_prices(run: Run) -> None:
    listed = await run("models", "--kind", "video", "--json")
    assert {model["kind"] for model in listed.document} == {"video"}
    assert "$0.05/second" in (await run("models", "sandbox/video")).out


async def test_a_running_stack_is_found_from_the_folder_and_its_logs_by_an_id(
    run: Run, running: stack.Stack, tmp_path: Path
) -> None:
    (tmp_path / ".genqueue").symlink_to(running.data_dir)
    below = tmp_path / "deep" / "down"
    below.mkdir(parents=True)
    submitted = await run("submit", "image", "x", "--wait", "--json", folder=below, env={})
    assert submitted.code == exits.Exit.DONE, submitted.err
    job_id = submitted.document["id"]
    lines = (await run("logs", "--find", job_id, "--json", folder=below, env={})).out.splitlines()
    assert {"api", "worker-1", "worker-2"} & {json.loads(line)["process"] for line in lines}
    assert "completed" in {json.loads(line)["event"] for line in lines}

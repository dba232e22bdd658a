"""The whole promise of a batch: faulty rows, a provider that fails, workers killed in the middle; every row accounted
for once, the failed ones brought home by a retry, and a result file with the input's columns in place (P9).

GENQUEUE_BATCH_ROWS sets the size: `make batch-audit` runs it with 100,000.
"""

import asyncio
import csv
import functools
import io
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from cli import client
from cli.stack import stack
from tests.conventions import tree

HOWTO = tree.ROOT / "docs/howto/run-a-csv.md"
ROWS = int(os.environ.get("GENQUEUE_BATCH_ROWS", "3000"))
FAULTY_EVERY = 100
DEADLINE_SECONDS = 240 + ROWS / 50

pytestmark = pytest.mark.timeout(DEADLINE_SECONDS * 2)


@pytest.fixture(scope="module")
async def local(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[stack.Stack]:
    folder: Path = tmp_path_factory.mktemp("batches") / "data"
    short = {"GENQUEUE_LEASE_SECONDS": "3"}
    async with stack.Stack(data_dir=folder, workers=2, usual_ports=False, temporary=True, environ=short) as running:
        yield running


@pytest.fixture(scope="module")
async def owner(local: stack.Stack) -> AsyncIterator[client.Client]:
    async with client.Client(local.base_url, local.admin_key) as opened:
        yield opened


@pytest.fixture(scope="module")
async def provider(local: stack.Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=local.env["GENQUEUE_SANDBOX_URL"], timeout=60) as opened:
        yield opened


def prompts(path: Path, rows: int) -> Path:
    """A CSV in which every hundredth row is faulty."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sku", "name"])
        for number in range(rows):
            faulty = number % FAULTY_EVERY == FAULTY_EVERY - 1
            writer.writerow([f"sku-{number}"] if faulty else [f"sku-{number}", f"Thing, number {number}"])
    return path


async def until(owner: client.Client, batch_id: str, reached: Callable[[client.Json], bool]) -> client.Json:
    """Look at the batch until this is so; its counts add up each time."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            batch = await owner.get(f"/v1/batches/{batch_id}")
            if reached(batch):
                return batch
            # A held poll of a job that never changes: half a second without sleeping, and without a busy loop.
            await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.3)


def is_so_far(batch: client.Json, rows: float) -> bool:
    return is_over(batch) or done(batch) >= rows


def is_over(batch: client.Json) -> bool:
    return batch["status"] in ("completed", "failed", "cancelled", "expired")


async def test_every_row_has_one_outcome_whatever_dies_and_a_retry_brings_the_rest_home(
    local: stack.Stack, owner: client.Client, provider: httpx.AsyncClient, tmp_path: Path
) -> None:
    # A refusal for good, so that some rows fail; and 503s, which are tried again.
    await provider.post("/faults", json={"error_rate": 0.05, "status": 400, "places": ["submit"], "seed": 7})
    file = prompts(tmp_path / "prompts.csv", ROWS)
    fields = {"model": "sandbox/text-instant", "template": "Describe {{name}}", "max_concurrency": "400"}
    batch_id = (await owner.upload("/v1/batches", file, fields))["id"]
    for worker, share in (("worker-1", 0.2), ("worker-2", 0.5)):
        seen = await until(owner, batch_id, functools.partial(is_so_far, rows=ROWS * share))
        assert not is_over(seen), "killed too late to prove anything"
        await local.kill(worker)
        await local.restart(worker)
    ended = await until(owner, batch_id, is_over)
    counts, invalid = ended["counts"], ROWS // FAULTY_EVERY
    assert counts | {"total": ROWS, "invalid": invalid, "queued": 0, "in_progress": 0} == counts
    assert counts["completed"] + counts["failed"] == ROWS - invalid
    assert ROWS * 0.01 < counts["failed"] < ROWS * 0.1
    summary = (await provider.get("/record/summary")).json()
    assert summary["charged_twice"] == []
    # Those who were killed had rows in hand, and their answers were lost.
    assert summary["deduplicated"] > 0
    assert summary["charged_micros"] == ended["cost_micros"] == counts["completed"] * 500

    await provider.delete("/faults")
    await owner.post(f"/v1/batches/{batch_id}/retry")
    home = await until(owner, batch_id, is_over)
    assert home["counts"] | {"total": ROWS, "invalid": invalid, "completed": ROWS - invalid} == home["counts"]
    summary = (await provider.get("/record/summary")).json()
    assert (summary["charged_twice"], summary["charged_micros"]) == ([], (ROWS - invalid) * 500)
    await owner.save(f"/v1/batches/{batch_id}/results", tmp_path / "results.csv")
    with (tmp_path / "results.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [row["sku"] for row in rows] == [f"sku-{number}" for number in range(ROWS)]
    assert [row["status"] for row in rows].count("completed") == ROWS - invalid
    assert all(row["status"] == "completed" or row["error"].startswith("ragged_row") for row in rows)


def done(batch: client.Json) -> int:
    counts: dict[str, int] = batch["counts"]
    return counts["completed"] + counts["failed"]


async def genqueue(local: stack.Stack, *arguments: str, answer: str = "") -> tuple[int, str]:
    """Run the command line against this stack."""
    known = {"GENQUEUE_URL": local.base_url, "GENQUEUE_API_KEY": local.admin_key}
    program = Path(sys.executable).with_name("genqueue")
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        env=os.environ | known | {"COLUMNS": "200"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(answer.encode()), DEADLINE_SECONDS)
    return process.returncode or 0, said.decode()


async def test_the_command_line_tries_asks_runs_and_saves(local: stack.Stack, tmp_path: Path) -> None:
    file = tmp_path / "prompts.csv"
    file.write_text("name\nKettle\nbad,row\nChair\n")
    asked = ("batch", "run", str(file), "--template", "About {{name}}", "--model", "sandbox/text")
    code, said = await genqueue(local, *asked, answer="n\n")
    assert code == 1, said
    assert "3 rows, 1 faulty" in said
    assert "It should cost 0.001000 USD" in said
    assert "Nothing was run." in said
    assert not (tmp_path / "prompts.results.csv").exists()
    code, said = await genqueue(local, *asked, answer="y\n")
    assert code == 3, said
    assert "2 completed, 1 invalid" in said
    rows = list(csv.DictReader(io.StringIO((tmp_path / "prompts.results.csv").read_text())))
    assert [(row["name"], row["status"]) for row in rows] == [
        ("Kettle", "completed"),
        ("bad", "invalid"),
        ("Chair", "completed"),
    ]


async def test_the_command_line_says_why_a_file_is_refused(local: stack.Stack, tmp_path: Path) -> None:
    file = tmp_path / "prompts.csv"
    file.write_text("name\nKettle\n")
    code, said = await genqueue(
        local, "batch", "run", str(file), "--template", "{{nme}}", "--model", "sandbox/text", "--yes"
    )
    assert (code, "The template names 'nme'" in said) == (1, True), said


async def test_the_commands_of_the_howto_work_as_they_stand(local: stack.Stack, tmp_path: Path) -> None:
    page = HOWTO.read_text()
    [rows] = re.findall(r"```csv\n(.*?)```", page, re.DOTALL)
    (tmp_path / "products.csv").write_text(rows)
    [command] = re.findall(r"^\$ (.+)$", page, re.MULTILINE)
    [program] = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    known = {"GENQUEUE_URL": local.base_url, "GENQUEUE_API_KEY": local.admin_key, "COLUMNS": "200"}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-e", "-c", f"yes | {command} || test $? = 3\n{program}"),
        cwd=tmp_path,
        env=os.environ | known | {"PATH": programs},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(shell.communicate(), DEADLINE_SECONDS)
    assert shell.returncode == 0, said.decode()
    assert "3 rows, 1 faulty" in said.decode()
    saved = list(csv.DictReader((tmp_path / "products.results.csv").read_text().splitlines()))
    assert [(row["sku"], row["status"]) for row in saved] == [
        ("A-1", "completed"),
        ("A-2", "completed"),
        ("A-3", "invalid"),
    ]
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [line["status"] for line in lines] == ["completed", "completed", "invalid"]
    assert json.loads((tmp_path / "report.json").read_text())["samples"][0]["prompt"] == "About Kettle"
    assert (tmp_path / "to-mend.csv").read_text().splitlines()[1].startswith("A-3,Table,French")

"""The result file: the input's own columns in their place, text that round-trips, and nothing a spreadsheet runs."""

import csv
import io
import json

import httpx
import pyarrow.parquet
import pytest

from tests.integration.batches import conftest

NASTY = [
    '=HYPERLINK("http://e.com")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\uff1d1",
    "-5",
    "+49",
    "1e-3",
    'quote " and "" more',
    "two\nlines",
    "CR LF\r\nline",
    "emoji 🦢👩‍👩‍👧",
    "שלום مرحبا",
    "\u202eright to left",
    " spaces ",
    "'quoted",
    "back\\slash\\n",
    "nul? \\u0000",
    "\\.",
    "",
]
DANGEROUS = 7


def table(rows: list[list[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def parsed(answer: httpx.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


@pytest.fixture
async def done(send: conftest.Send, drive: conftest.Drive) -> str:
    rows = [[str(number), cell] for number, cell in enumerate(NASTY)]
    body = table([["status", "text cell"], *rows])
    batch = (await send(body, model="sandbox/text", template="Echo {{text cell}} {{status}}")).json()
    assert (await drive(batch["id"]))["counts"]["completed"] == len(NASTY)
    return str(batch["id"])


async def test_the_inputs_columns_come_first_and_ours_step_aside(api: httpx.AsyncClient, done: str) -> None:
    answer = await api.get(f"/v1/batches/{done}/results")
    header = answer.text.split("\n", 1)[0]
    assert header == "status,text cell,result_status,output,output_url,error,model,cost_usd"
    assert [row["status"] for row in parsed(answer)] == [str(number) for number in range(len(NASTY))]
    assert answer.headers["content-disposition"].startswith('attachment; filename="rows-results.csv"')


async def test_cells_a_spreadsheet_would_run_are_escaped_and_no_others(api: httpx.AsyncClient, done: str) -> None:
    safe = [row["text cell"] for row in parsed(await api.get(f"/v1/batches/{done}/results"))]
    assert safe == ["'" + cell for cell in NASTY[:DANGEROUS]] + NASTY[DANGEROUS:]
    raw = await api.get(f"/v1/batches/{done}/results", params={"safe_csv": "false"})
    assert [row["text cell"] for row in parsed(raw)] == NASTY


async def test_json_lines_are_lossless(api: httpx.AsyncClient, done: str) -> None:
    answer = await api.get(f"/v1/batches/{done}/results", params={"format": "jsonl"})
    lines = [json.loads(line) for line in answer.text.split("\n")[:-1]]
    assert [line["input"]["text cell"] for line in lines] == NASTY
    assert [line["row"] for line in lines] == list(range(1, len(NASTY) + 1))


async def test_parquet(api: httpx.AsyncClient, done: str) -> None:
    answer = await api.get(f"/v1/batches/{done}/results", params={"format": "parquet"})
    found = pyarrow.parquet.read_table(io.BytesIO(answer.content))
    assert found.column("text cell").to_pylist() == NASTY
    assert set(found.column("result_status").to_pylist()) == {"completed"}


async def test_results_can_be_had_by_status_and_while_the_batch_runs(
    send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient
) -> None:
    body = "prompt,model\na,sandbox/text\nb,sandbox/text-refuse\n,sandbox/text\n"
    batch = (await send(body, dry_run="true")).json()
    url = f"/v1/batches/{batch['id']}/results"
    assert (await api.get(url)).status_code == 409
    await drive(batch["id"], "ready")
    assert [row["status"] for row in parsed(await api.get(url))] == ["queued", "queued", "invalid"]
    await api.post(f"/v1/batches/{batch['id']}/start")
    await drive(batch["id"])
    assert [row["status"] for row in parsed(await api.get(url))] == ["completed", "failed", "invalid"]
    failed = parsed(await api.get(url, params=[("status", "failed"), ("status", "invalid")]))
    assert [row["prompt"] for row in failed] == ["b", ""]
    assert failed[0]["error"].startswith("content_policy: ")


async def test_the_faulty_rows_come_back_mendable(
    send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient
) -> None:
    batch = (await send("prompt,seed\nx,one\ny,2\n", model="sandbox/text", dry_run="true")).json()
    await drive(batch["id"], "ready")
    bad = await api.get(f"/v1/batches/{batch['id']}/results", params={"errors_only": "true"})
    assert bad.text == (
        "prompt,seed,_line,_error_column,_error_code,_error\n"
        'x,one,2,seed,invalid_value,"expected a whole number, such as 5"\n'
    )
    again = (await send(bad.text.replace("one", "1"), model="sandbox/text", dry_run="true")).json()
    mended = await drive(again["id"], "ready")
    assert (mended["counts"]["queued"], mended["counts"]["invalid"]) == (1, 0)


async def test_json_answers_are_spread_into_columns(
    send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient
) -> None:
    properties = {"title": {"type": "string"}, "it's": {"type": "integer"}}
    schema = {"type": "object", "properties": properties, "required": ["title", "it's"], "additionalProperties": False}
    fields = {"model": "sandbox/text", "template": "About {{name}}", "response_schema": json.dumps(schema)}
    batch = (await send("name\nx\n", **fields)).json()
    await drive(batch["id"])
    plain = parsed(await api.get(f"/v1/batches/{batch['id']}/results"))[0]
    spread = parsed(await api.get(f"/v1/batches/{batch['id']}/results", params={"spread": "true"}))[0]
    answer = json.loads(plain["output"])
    assert (spread["title"], spread["it's"]) == (answer["title"], str(answer["it's"]))
    assert list(spread) == [*plain, "title", "it's"]


async def test_a_batch_of_another_owner_is_not_there(api: httpx.AsyncClient) -> None:
    for path in ("", "/results", "/report", "/errors"):
        assert (await api.get(f"/v1/batches/bat_01k0zqj5w3m8v4t2c6n0000000{path}")).status_code == 404
    for action in ("start", "pause", "resume", "cancel", "retry"):
        assert (await api.post(f"/v1/batches/bat_01k0zqj5w3m8v4t2c6n0000000/{action}")).status_code == 404


async def test_a_batch_is_listed_newest_first(send: conftest.Send, api: httpx.AsyncClient) -> None:
    made = [(await send("name\nx\n", model="sandbox/text", template="{{name}}")).json()["id"] for _ in range(3)]
    page = (await api.get("/v1/batches", params={"limit": 2})).json()
    assert page["has_more"]
    rest = (await api.get("/v1/batches", params={"limit": 2, "cursor": page["next_cursor"]})).json()
    assert {item["id"] for item in page["data"] + rest["data"]} == set(made)
    assert (await api.get("/v1/batches", params={"status": "ready"})).json()["data"] == []

"""Pictures that rows bring along: a URL that we may not send a provider to is a fault of its row, and of no other."""

import json

import httpx

from tests.integration.batches import conftest

INSIDE = ["https://169.254.169.254/latest", "http://example.com/x.png", "file:///etc/passwd", "https://10.0.0.1/x"]
OUTSIDE = ["data:image/png;base64,iVBORw0KGgo=", "https://example.com/x.png"]


def reference(url: str) -> str:
    return json.dumps([{"type": "image_url", "image_url": {"url": url}}])


async def test_a_row_whose_picture_lies_inside_is_faulty_and_the_others_are_good(
    send: conftest.Send, drive: conftest.Drive, api: httpx.AsyncClient
) -> None:
    lines = [json.dumps({"prompt": "x", "param.input_references": reference(url)}) for url in [*OUTSIDE, *INSIDE]]
    batch = (await send("\n".join(lines), name="rows.jsonl", model="sandbox/image", dry_run="true")).json()
    ready = await drive(batch["id"], "ready", "failed")
    assert (ready["counts"]["queued"], ready["counts"]["invalid"]) == (len(OUTSIDE), len(INSIDE)), ready
    report = (await api.get(f"/v1/batches/{batch['id']}/report")).json()
    shown = {(row["line"], row["column"], row["code"]) for row in report["faulty"]}
    assert shown == {(line, "param.input_references", "forbidden_url") for line in (3, 4, 5, 6)}


async def test_a_picture_for_all_rows_that_lies_inside_refuses_the_upload(send: conftest.Send) -> None:
    parameters = json.dumps({"input_references": json.loads(reference(INSIDE[0]))})
    answer = await send("name\nx\n", model="sandbox/image", template="A {{name}}", parameters=parameters)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["param"], error["details"]["code"]) == ("parameters", "forbidden_url")

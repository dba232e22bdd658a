"""What is taken, what is refused, and what it costs."""

from typing import Any

import httpx
import pytest

from shared.providers.sandbox import variants
from tests.sandbox import client


@pytest.mark.parametrize("key", ["", "Bearer x", "Bearer bad-key", "sandbox"])
async def test_a_bad_key_is_401(base_url: str, key: str) -> None:
    async with httpx.AsyncClient(base_url=base_url, headers={"Authorization": key}) as http:
        for answer in (
            await http.post("/keyed/v1/generations", json={}),
            await http.get("/v1/generations/gen_1"),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "auth")
        assert (await http.get("/health")).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"model": "video-nope"}, 404, "model"),
        ({"kind": "image"}, 400, "kind"),
        ({"kind": "song"}, 400, "kind"),
        ({"input": {}}, 400, "input.prompt"),
        ({"input": {"prompt": "x", "duration": -1}}, 400, "input.duration"),
        ({"input": {"prompt": "x", "size": "big"}}, 400, "input.size"),
        ({"input": {"prompt": "x", "size": "161x90"}}, 400, "input.size"),
        ({"input": {"prompt": "x", "size": "9000x90"}}, 400, "input.size"),
        ({"input": {"prompt": "x", "n": 0}}, 400, "input.n"),
    ],
)
async def test_a_bad_ask_names_its_field(
    sandbox: client.Sandbox, change: dict[str, Any], status: int, field: str
) -> None:
    answer = await sandbox.post({**sandbox.body("video"), **change})
    assert answer.status_code == status
    assert answer.json()["error"]["message"].startswith(f"{field}:")


async def test_not_json_is_400(sandbox: client.Sandbox) -> None:
    answer = await sandbox.http.post("/v1/generations", content=b"{oops")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_input")


REFUSALS = [
    ("refuse", 400, "content_policy"),
    ("invalid", 400, "invalid_input"),
    ("unavailable", 503, "unavailable"),
    ("error200", 200, "overloaded"),
]


@pytest.mark.parametrize("kind", sorted(variants.ALL))
@pytest.mark.parametrize(("suffix", "status", "code"), REFUSALS)
async def test_refusals_are_not_accepted_and_cost_nothing(
    sandbox: client.Sandbox, kind: str, suffix: str, status: int, code: str
) -> None:
    for _ in range(3):
        answer = await sandbox.ask(f"{kind}-{suffix}", f"job_{kind}_{suffix}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    lines = await sandbox.record(f"job_{kind}_{suffix}")
    assert [line["accepted"] for line in lines] == [False] * 3
    assert {(line["charged_micros"], line["status"], line["answer"]) for line in lines} == {(0, "refused", code)}


async def test_garbage_is_a_web_page_and_not_accepted(sandbox: client.Sandbox) -> None:
    answer = await sandbox.ask("text-garbage", "job_garbage")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert [line["accepted"] for line in await sandbox.record("job_garbage")] == [False]


async def test_flaky_refuses_the_first_ask_of_a_job_only(sandbox: client.Sandbox) -> None:
    answers = [await sandbox.ask("image-flaky", f"job_flaky:{number}") for number in (1, 2, 3)]
    assert [answer.status_code for answer in answers] == [503, 200, 200]
    assert (await sandbox.ask("image-flaky", "job_other:1")).status_code == 503


async def test_throttle_says_when_to_come_again(sandbox: client.Sandbox) -> None:
    answers = [await sandbox.ask("video-throttle", "job_throttle") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 202]
    assert answers[0].headers["retry-after"] == "1"
    assert "retry-after" not in answers[2].headers


@pytest.mark.parametrize(
    ("model", "inputs", "micros"),
    [("video", {"duration": 2, "n": 2}, 200_000), ("image", {"n": 3}, 30_000), ("text", {}, 500)],
)
async def test_prices(sandbox: client.Sandbox, model: str, inputs: dict[str, Any], micros: int) -> None:
    view = await sandbox.finished(model, **inputs)
    assert view["cost_micros"] == micros
    assert [line["charged_micros"] for line in await sandbox.record(view["reference"])] == [micros]


@pytest.mark.parametrize("kind", sorted(variants.ALL))
@pytest.mark.parametrize(("suffix", "charged"), [("fail", False), ("fail-charged", True)])
async def test_a_failure_costs_what_its_variant_says(
    sandbox: client.Sandbox, kind: str, suffix: str, charged: bool
) -> None:
    view = await sandbox.finished(f"{kind}-{suffix}")
    assert (view["status"], view["error"]["code"], view["outputs"]) == ("failed", "generation_failed", [])
    assert (view["cost_micros"] > 0) is charged
    (line,) = await sandbox.record(view["reference"])
    assert (line["accepted"], line["status"]) == (True, "failed")
    assert line["charged_micros"] == view["cost_micros"]


async def test_the_record_adds_up(sandbox: client.Sandbox) -> None:
    await sandbox.ask("image", "job_sum", key="sum")
    await sandbox.ask("image", "job_sum", key="sum")
    await sandbox.ask("image-refuse", "job_sum")
    await sandbox.post({"nonsense": True})
    lines, sums = await sandbox.lines(), await sandbox.summary()
    assert sums["asks"] == len(lines) == sums["accepted"] + sums["deduplicated"] + sums["refused"]
    assert sums["charged_micros"] == sum(line["charged_micros"] for line in lines)
    assert sum(sums["by_status"].values()) == sums["accepted"]
    assert "job_sum" not in sums["charged_twice"]
    (later,) = await sandbox.lines(since=lines[-2]["seq"])
    assert (later["answer"], later["accepted"]) == ("invalid_input", False)

"""Cut lines, and what each account can do about them."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.sandbox import client

CUTS = (httpx.ReadError, httpx.RemoteProtocolError)


async def test_cut_accepts_charges_and_cuts_once(sandbox: client.Sandbox) -> None:
    with pytest.raises(CUTS):
        await sandbox.ask("image-cut", "job_cut", key="cut")
    again = await sandbox.ask("image-cut", "job_cut", key="cut")
    assert (again.status_code, again.json()["status"]) == (200, "succeeded")
    first, second = await sandbox.record("job_cut")
    assert (first["answer"], first["accepted"], first["charged_micros"]) == ("accepted+cut", True, 10_000)
    assert (second["answer"], second["deduplicated"], second["charged_micros"]) == ("deduplicated", True, 0)
    assert first["id"] == second["id"] == again.json()["id"]


async def test_cut_always_never_answers_but_charges_once_with_a_key(sandbox: client.Sandbox) -> None:
    for _ in range(3):
        with pytest.raises(CUTS):
            await sandbox.ask("video-cut-always", "job_always", key="always")
    lines = await sandbox.record("job_always")
    assert [line["deduplicated"] for line in lines] == [False, True, True]
    assert sum(line["charged_micros"] for line in lines) == 50_000


@pytest.mark.parametrize("account", ["searchable", "plain"])
async def test_without_keys_a_second_ask_is_a_second_charge(sandbox: client.Sandbox, account: str) -> None:
    reference, there = f"job_twice_{account}", sandbox.on(account)
    with pytest.raises(CUTS):
        await there.ask("image-cut", reference, key="same")
    assert (await there.ask("image-cut", reference, key="same")).status_code == 200
    lines = await sandbox.record(reference)
    assert [line["charged_micros"] for line in lines] == [10_000, 10_000]
    assert reference in (await sandbox.summary())["charged_twice"]


async def test_what_was_cut_can_be_searched(sandbox: client.Sandbox) -> None:
    there = sandbox.on("searchable")
    assert (await there.search("job_search")).json() == {"data": []}
    with pytest.raises(CUTS):
        await there.ask("video-cut", "job_search", sandbox_seconds=0)
    (found,) = (await there.search("job_search")).json()["data"]
    (line,) = await sandbox.record("job_search")
    assert found["id"] == line["id"]
    assert (await there.poll(found["id"])).json()["status"] == "succeeded"


@pytest.mark.parametrize("account", ["keyed", "plain"])
async def test_other_accounts_cannot_be_searched(sandbox: client.Sandbox, account: str) -> None:
    there = sandbox.on(account)
    await there.ask("image", f"job_hidden_{account}")
    assert (await there.search(f"job_hidden_{account}")).status_code == 404


async def test_accounts_do_not_see_each_other(sandbox: client.Sandbox) -> None:
    id_ = (await sandbox.ask("video")).json()["id"]
    assert (await sandbox.poll(id_)).status_code == 200
    for account in ("plain", "searchable"):
        assert (await sandbox.on(account).poll(id_)).status_code == 404
        assert (await sandbox.on(account).cancel(id_)).status_code == 404


async def test_fifty_asks_with_one_key_are_one_generation(sandbox: client.Sandbox) -> None:
    answers = await asyncio.gather(*(sandbox.ask("video", "job_race", key="race") for _ in range(50)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    lines = await sandbox.record("job_race")
    assert sum(not line["deduplicated"] for line in lines) == 1
    assert sum(line["charged_micros"] for line in lines) == 50_000


async def test_one_key_with_two_bodies_is_an_error(sandbox: client.Sandbox) -> None:
    first = await sandbox.ask("image", "job_body", key="body")
    other = await sandbox.ask("image", "job_body", key="body", prompt="something else")
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_mismatch")
    assert first.json()["id"] == (await sandbox.ask("image", "job_body", key="body")).json()["id"]


async def test_an_oversize_text_answer_does_not_end(sandbox: client.Sandbox) -> None:
    seen = 0
    url = f"{sandbox.base}/v1/generations"
    async with sandbox.http.stream("POST", url, json=sandbox.body("text-oversize")) as answer:
        async for piece in answer.aiter_bytes():
            seen += len(piece)
            if seen > 20_000_000:
                break
    assert seen > 20_000_000


FAULTS = [
    ({"error_rate": 1, "status": 502}, 502, False),
    ({"error_rate": 1, "status": 429, "retry_after_seconds": 3}, 429, False),
    ({"drop_rate": 1}, None, False),
    ({"cut_rate": 1}, None, True),
    ({"garbage_rate": 1}, 200, False),
    ({"error_rate": 1, "places": ["poll", "media"]}, 200, True),
]


@pytest.mark.parametrize(("faults", "status", "accepted"), FAULTS)
async def test_faults_strike_where_they_should(
    sandbox: client.Sandbox, faults: dict[str, Any], status: int | None, accepted: bool
) -> None:
    reference = f"job_fault_{FAULTS.index((faults, status, accepted))}"
    assert (await sandbox.http.post("/faults", json=faults)).status_code == 200
    try:
        seen: int | None = (await sandbox.ask("image", reference)).status_code
    except CUTS:
        seen = None
    finally:
        await sandbox.http.delete("/faults")
    assert seen == status
    assert bool(await sandbox.record(reference)) is accepted
    assert (await sandbox.ask("image", reference)).status_code == 200


async def test_faults_are_checked(sandbox: client.Sandbox) -> None:
    assert (await sandbox.http.post("/faults", json={"error_rate": 2})).status_code == 400
    assert (await sandbox.http.post("/faults", json={"eror_rate": 1})).status_code == 400
    assert (await sandbox.http.get("/faults")).json() is None

"""Rates, budgets, scopes, cancels and deadlines, as the official clients meet them."""

from typing import Any

import httpx
import pytest

from tests.clients import scripted

# A whole script runs in the first test that asks for its report.
pytestmark = pytest.mark.timeout(240)

Keys = dict[str, str]


async def _made(http: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await http.post("/v1/keys", json={"name": "A test's key", **fields})
    made: dict[str, Any] = answer.raise_for_status().json()
    return made


async def keys(http: httpx.AsyncClient) -> Keys:
    """Fresh ones, as rates are counted by key: with a small rate, with a small budget, and one that may only read."""
    hasty = await _made(http, requests_per_minute=3)
    poor = await _made(http)
    budget = {"key_id": poor["id"], "period": "month", "limit_micros": 1}
    (await http.post("/v1/budgets", json=budget)).raise_for_status()
    reading = await _made(http, scopes=["read"])
    return {"HASTY_KEY": hasty["secret"], "POOR_KEY": poor["secret"], "READING_KEY": reading["secret"]}


@pytest.fixture(scope="module", params=["openai3", "openai2"])
async def openai(request: pytest.FixtureRequest, run: scripted.Run, http: httpx.AsyncClient) -> scripted.Report:
    strict = "1" if request.param == "openai3" else "0"
    return await run(request.param, "openai_limits.py", STRICT=strict, **await keys(http))


@pytest.fixture(scope="module")
async def openrouter(run: scripted.Run, http: httpx.AsyncClient) -> scripted.Report:
    return await run("openrouter", "openrouter_ends.py", **await keys(http))


def test_too_many_requests_are_told_when_to_come_again(openai: scripted.Report) -> None:
    error = openai["rate"]
    assert (error["raised"], error["code"], error["status_code"]) == ("RateLimitError", "rate_limit_exceeded", 429)
    assert 1 <= int(error["headers"]["retry-after"]) <= 60
    assert "x-should-retry" not in error["headers"]


@pytest.mark.parametrize("name", ["video", "image", "chat", "chat_stream", "response"])
def test_an_empty_budget_is_final(openai: scripted.Report, name: str) -> None:
    error = openai[name]
    assert (error["raised"], error["code"], error["type"]) == (
        "RateLimitError",
        "insufficient_quota",
        "insufficient_quota",
    )
    assert error["headers"]["x-should-retry"] == "false"
    assert openai[f"{name}_tries"] == 1


def test_a_batch_without_money_has_failed(openai: scripted.Report) -> None:
    batch = openai["batch"]
    assert (batch["status"], batch["output_file_id"]) == ("failed", None)
    assert batch["failed_at"] >= batch["created_at"]
    assert batch["errors"]["data"][0]["code"] == "insufficient_quota"


def test_a_key_that_may_only_read_makes_nothing(openai: scripted.Report, openrouter: scripted.Report) -> None:
    assert openai["read"]["object"] == "list"
    assert (openai["write"]["raised"], openai["write"]["code"]) == ("PermissionDeniedError", "forbidden")
    assert (openrouter["write"]["raised"], openrouter["write"]["code"]) == ("ForbiddenResponseError", 403)


def test_openrouters_client_is_told_when_to_come_again(openrouter: scripted.Report) -> None:
    error = openrouter["rate"]
    assert error["status_code"] == 429
    assert 1 <= int(error["headers"]["retry-after"]) <= 60
    assert '"error_type":"rate_limit_exceeded"' in error["message"]


@pytest.mark.parametrize(("name", "status"), [("cancelled", "cancelled"), ("expired", "expired"), ("failed", "failed")])
def test_every_end_of_a_video_has_its_word(openrouter: scripted.Report, name: str, status: str) -> None:
    video = openrouter[name]
    assert video["status"] == status
    assert isinstance(video["error"], str)
    assert "usage" not in video
    assert "unsigned_urls" not in video


def test_what_failed_can_be_looked_up_and_not_downloaded(openrouter: scripted.Report) -> None:
    content = openrouter["expired_content"]
    assert (content["raised"], content["status_code"]) == ("NotFoundResponseError", 404)
    data = openrouter["failed_generation"]["data"]
    assert (data["finish_reason"], data["total_cost"]) == ("error", 0)
    assert data["provider_responses"][0]["status"] >= 400


@pytest.mark.parametrize(
    ("name", "code", "kind"),
    [
        ("chat_refused", 400, "content_policy_violation"),
        ("chat_failed", 502, "provider_unavailable"),
        ("chat_nonsense", 400, "invalid_request"),
    ],
)
def test_chats_fail_in_their_words(openrouter: scripted.Report, name: str, code: int, kind: str) -> None:
    error = openrouter[name]
    assert (error["code"], error["metadata"]["error_type"]) == (code, kind)

"""Every fault under a dialect's prefix is answered in the dialect's own envelope, and in ours everywhere else."""

from typing import Any

import fastapi
import httpx
import pytest

from api import dialects
from shared import errors

OPENAI, OPENROUTER = "/openai/v1", "/api/v1"
JSON = {"Content-Type": "application/json"}
BIG = b'{"model": "' + b"x" * (9 * 1024 * 1024) + b'"}'
# The fault, how to make it under a prefix, its status, and OpenAI's code for it.
FAULTS = [
    ("no route", "GET", "/nothing", {}, 404, "not_found"),
    ("no such id", "GET", "/videos/x", {}, 404, "not_found"),
    ("wrong method", "PUT", "/chat/completions", {}, 405, "method_not_allowed"),
    ("too large", "POST", "/chat/completions", {"content": BIG, "headers": JSON}, 413, "too_large"),
    ("media type", "POST", "/chat/completions", {"content": b"x"}, 415, "unsupported_media_type"),
    ("no JSON", "POST", "/chat/completions", {"content": b"{", "headers": JSON}, 400, "invalid_json"),
    ("not an object", "POST", "/videos", {"json": []}, 400, "invalid_request"),
    ("missing", "POST", "/chat/completions", {"json": {"model": "sandbox/text"}}, 400, "missing_required_parameter"),
    ("unknown field", "POST", "/images/generations", {"json": {"colour": 1}}, 400, "unknown_parameter"),
    ("a NUL", "POST", "/videos", {"json": {"prompt": "\0", "model": "sandbox/video"}}, 400, "invalid_request"),
]


def is_openais(body: dict[str, Any]) -> bool:
    error = body["error"]
    return {"message", "type", "param", "code"} <= set(error) and isinstance(error["message"], str)


def is_openrouters(body: dict[str, Any], status: int) -> bool:
    error = body["error"]
    return error["code"] == status and isinstance(error["message"], str) and "error_type" in error["metadata"]


@pytest.mark.parametrize(("name", "method", "path", "how", "status", "code"), FAULTS, ids=[row[0] for row in FAULTS])
async def test_faults_in_both_envelopes(
    client: httpx.AsyncClient, name: str, method: str, path: str, how: dict[str, Any], status: int, code: str
) -> None:
    answer = await client.request(method, OPENAI + path, **how)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert is_openais(answer.json())
    assert answer.headers["X-Request-Id"] == answer.json()["error"]["request_id"]
    answer = await client.request(method, OPENROUTER + path.removesuffix("/generations"), **how)
    assert answer.status_code == status
    assert is_openrouters(answer.json(), status)


async def test_another_body_with_the_same_key_is_422(client: httpx.AsyncClient) -> None:
    for prefix in (OPENAI, OPENROUTER):
        once = {"Idempotency-Key": f"order{prefix}"}
        for prompt in ("A heron", "A crane"):
            answer = await client.post(
                f"{prefix}/videos", json={"model": "sandbox/video", "prompt": prompt}, headers=once
            )
        assert answer.status_code == 422
        assert is_openais(answer.json()) if prefix == OPENAI else is_openrouters(answer.json(), 422)


# Routes that FastAPI itself checks, as ours: what it finds is told in the dialect's words, too.
CHECKED = [
    ("GET", f"{OPENAI}/batches?limit=0", {}, 400),
    ("POST", f"{OPENAI}/batches", {"json": {"endpoint": 7}}, 400),
    ("POST", f"{OPENAI}/batches", {"content": b"x"}, 415),
    ("PUT", f"{OPENAI}/batches", {}, 405),
    ("GET", f"{OPENAI}/batches/x", {}, 404),
    ("GET", f"{OPENROUTER}/batches?limit=0", {}, 400),
    ("GET", f"{OPENROUTER}/batches?status=lost", {}, 400),
    ("GET", f"{OPENROUTER}/batches?created_after=soon", {}, 400),
    ("GET", f"{OPENROUTER}/batches?colour=red", {}, 400),
    ("POST", f"{OPENROUTER}/batches", {"json": {"endpoint": 7}}, 400),
    ("POST", f"{OPENROUTER}/batches", {"content": b"x"}, 415),
    ("POST", f"{OPENROUTER}/batches", {"content": BIG, "headers": JSON}, 413),
    ("DELETE", f"{OPENROUTER}/batches/x", {}, 405),
    ("GET", f"{OPENROUTER}/keys?offset=-1", {}, 400),
    ("GET", f"{OPENROUTER}/keys/x", {}, 404),
    ("POST", f"{OPENROUTER}/keys", {"json": {"name": "x", "limit": "much"}}, 400),
    ("POST", f"{OPENROUTER}/keys", {"json": {"name": "x", "limit_reset": "hourly"}}, 400),
    ("POST", f"{OPENROUTER}/keys", {"json": {"name": "x", "external": {"user": "u"}}}, 400),
    ("POST", f"{OPENROUTER}/keys", {"json": {"name": "x", "expires_at": 1790000000}}, 400),
    ("PATCH", f"{OPENROUTER}/keys/key_x", {"json": {"name": "x"}}, 404),
    ("GET", f"{OPENROUTER}/activity?date=yesterday", {}, 400),
    ("GET", f"{OPENROUTER}/activity?user_id=u", {}, 400),
    ("GET", f"{OPENROUTER}/generation", {}, 400),
    ("GET", f"{OPENROUTER}/generation?id=x", {}, 404),
]


@pytest.mark.parametrize(
    ("method", "path", "how", "status"),
    CHECKED,
    ids=[f"{status} {method} {path}" for method, path, _, status in CHECKED],
)
async def test_what_is_checked_for_a_route_is_told_in_its_envelope(
    client: httpx.AsyncClient, method: str, path: str, how: dict[str, Any], status: int
) -> None:
    answer = await client.request(method, path, **how)
    assert answer.status_code == status, answer.text
    assert is_openais(answer.json()) if path.startswith(OPENAI) else is_openrouters(answer.json(), status)
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("prefix", [OPENAI, OPENROUTER])
async def test_a_stranger_gets_401_before_anything_is_read(client: httpx.AsyncClient, prefix: str) -> None:
    headers = JSON | {"Authorization": "Bearer wrong"}
    answer = await client.post(f"{prefix}/videos", content=b"{", headers=headers)
    assert answer.status_code == 401
    assert is_openais(answer.json()) if prefix == OPENAI else is_openrouters(answer.json(), 401)


async def test_405_names_the_methods(client: httpx.AsyncClient) -> None:
    assert (await client.put(f"{OPENAI}/videos/x")).headers["Allow"] == "DELETE, GET"
    assert (await client.put(f"{OPENROUTER}/videos")).headers["Allow"] == "POST"


async def test_what_nobody_expected_is_500_in_the_callers_envelope(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise LookupError("a secret of the house")

    monkeypatch.setattr("shared.services.jobs.get", fail)
    openai = await client.get(f"{OPENAI}/videos/job_01k0zqj5w3m8v4t2c6n9xb7rde")
    assert (openai.status_code, openai.json()["error"]["type"], openai.headers["x-should-retry"]) == (
        500,
        "server_error",
        "false",
    )
    openrouter = await client.get(f"{OPENROUTER}/videos/job_01k0zqj5w3m8v4t2c6n9xb7rde")
    assert (openrouter.status_code, is_openrouters(openrouter.json(), 500)) == (500, True)
    assert "secret" not in openai.text + openrouter.text


async def test_our_own_routes_keep_our_envelope(client: httpx.AsyncClient) -> None:
    assert set((await client.get("/v1/nothing")).json()["error"]) >= {"code", "message", "request_id", "accepted"}
    assert (await client.get("/api/v2")).json()["error"]["code"] == "not_found"


class OverQuotaError(errors.GenqueueError):
    """Stands for a fault of budgets or limits."""

    def __init__(self, code: str, status: int, retry_after_seconds: int | None = None) -> None:
        super().__init__(retry_after_seconds=retry_after_seconds)
        self.code, self.status = code, status  # type: ignore[misc, assignment] # what the class itself would carry


@pytest.mark.parametrize(
    ("code", "status", "openai_status", "openai_code", "retries"),
    [
        ("rate_limited", 429, 429, "rate_limit_exceeded", None),
        ("budget_exceeded", 402, 429, "insufficient_quota", "false"),
        ("unavailable", 503, 503, "unavailable", None),
        ("still_running", 504, 504, "still_running", "false"),
    ],
)
def test_limits_and_budgets(code: str, status: int, openai_status: int, openai_code: str, retries: str | None) -> None:
    by_prefix = {dialect.prefix: dialect for dialect in dialects.find()}
    fault = OverQuotaError(code, status, 7)
    answer: fastapi.Response = by_prefix[OPENAI].error(fault, "req_x", {"Retry-After": "7"})
    assert answer.status_code == openai_status
    assert openai_code.encode() in answer.body
    assert (answer.headers["Retry-After"], answer.headers.get("x-should-retry")) == ("7", retries)
    answer = by_prefix[OPENROUTER].error(fault, "req_x", {"Retry-After": "7"})
    assert answer.status_code == (408 if code == "still_running" else status)
    assert answer.headers["Retry-After"] == "7"

"""Promise P10: bad input gets a 4xx that names the field and the accepted values; nothing is stored."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.integration.api import steps

VIDEO = {"model": "sandbox/video", "prompt": "A paper boat"}
TEXT = {"model": "sandbox/text", "prompt": "Name a river"}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}}
PICTURE = {"model": "sandbox/image", "prompt": "x"}


def _reference(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def _frame(url: str) -> dict[str, Any]:
    return {"frame_type": "first_frame", **_reference(url)}


BODIES: list[tuple[str, dict[str, Any], str, str | None]] = [
    ("videos", {"prompt": "x"}, "missing_field", "model"),
    ("videos", {"model": "sandbox/video"}, "missing_field", "prompt"),
    ("videos", VIDEO | {"model": "sandbox/vidoe"}, "unknown_model", "model"),
    ("videos", VIDEO | {"models": ["nobody/knows"]}, "unknown_model", "models[0]"),
    ("videos", VIDEO | {"model": "sandbox/image"}, "wrong_kind", "model"),
    ("images", VIDEO, "wrong_kind", "model"),
    ("videos", VIDEO | {"duration": 59}, "unsupported_value", "duration"),
    ("videos", VIDEO | {"size": "123x457"}, "unsupported_value", "size"),
    ("videos", VIDEO | {"aspect_ratio": "5:1"}, "unsupported_value", "aspect_ratio"),
    ("videos", VIDEO | {"resolution": "9p"}, "unsupported_value", "resolution"),
    ("videos", VIDEO | {"prompt": ""}, "invalid_request", "prompt"),
    ("videos", VIDEO | {"prompt": " \n\t "}, "invalid_request", "prompt"),
    ("videos", VIDEO | {"prompt": "x" * 32_001}, "invalid_request", "prompt"),
    ("videos", VIDEO | {"prompt": "x" * 31_999}, "unsupported_value", "prompt"),
    ("videos", VIDEO | {"prompt": "a\0b"}, "invalid_request", "prompt"),
    ("videos", VIDEO | {"metadata": {"a\0b": "c"}}, "invalid_request", "metadata"),
    ("videos", VIDEO | {"duraton": 5}, "unknown_field", "duraton"),
    ("videos", VIDEO | {"provider": {"olny": ["x"]}}, "unknown_field", "provider.olny"),
    ("videos", VIDEO | {"duration": "5"}, "invalid_request", "duration"),
    ("videos", VIDEO | {"duration": True}, "invalid_request", "duration"),
    ("videos", VIDEO | {"n": 10**30}, "invalid_request", "n"),
    ("videos", VIDEO | {"prompt": ["x"]}, "invalid_request", "prompt"),
    ("videos", VIDEO | {"size": "big"}, "invalid_request", "size"),
    ("videos", VIDEO | {"priority": 10}, "invalid_request", "priority"),
    ("videos", VIDEO | {"on_doubt": "maybe"}, "invalid_request", "on_doubt"),
    ("videos", VIDEO | {"deadline_seconds": 0}, "invalid_request", "deadline_seconds"),
    ("videos", VIDEO | {"metadata": {"a": 1}}, "invalid_request", "metadata.a"),
    ("videos", VIDEO | {"metadata": {str(i): "" for i in range(17)}}, "invalid_request", "metadata"),
    ("videos", VIDEO | {"frame_images": [{"frame_type": "first_frame"}]}, "missing_field", "frame_images[0].image_url"),
    *(
        ("videos", VIDEO | {"frame_images": [_frame(url)]}, "forbidden_url", "frame_images[0].image_url.url")
        for url in ("file:///etc/passwd", "http://example.com/x.png", "https://127.0.0.1/x.png", "https://a:b@c.de/x")
    ),
    *(
        (
            "images",
            PICTURE | {"input_references": [_reference(url)]},
            "forbidden_url",
            "input_references[0].image_url.url",
        )
        for url in ("https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]/x", "data:text/html;base64,AA==")
    ),
    ("images", {"model": "sandbox/image", "prompt": "x", "format": "bmp"}, "unsupported_value", "format"),
    ("images", {"model": "sandbox/image", "prompt": "x", "n": 11}, "invalid_request", "n"),
    ("texts", TEXT | {"messages": [{"role": "user", "content": "x"}]}, "invalid_request", None),
    ("texts", {"model": "sandbox/text"}, "invalid_request", None),
    ("texts", {"model": "sandbox/text", "messages": []}, "invalid_request", "messages"),
    (
        "texts",
        {"model": "sandbox/text", "messages": [{"role": "robot", "content": "x"}]},
        "invalid_request",
        "messages[0].role",
    ),
    ("texts", TEXT | {"temperature": 3}, "invalid_request", "temperature"),
    ("texts", TEXT | {"response_format": {"type": "json_schema"}}, "invalid_request", "response_format"),
    ("texts", TEXT | {"response_format": SCHEMA}, "invalid_request", "response_format.json_schema.name"),
    ("videos", VIDEO | {"provider": {"only": ["nobody"]}}, "no_endpoints", None),
]
WITH_ACCEPTED = {"unknown_field", "wrong_kind"}


@pytest.mark.parametrize(("kind", "body", "code", "param"), BODIES)
async def test_a_bad_body_is_refused_and_nothing_is_stored(
    client: httpx.AsyncClient, count: steps.Count, kind: str, body: dict[str, Any], code: str, param: str | None
) -> None:
    answer = await client.post(f"/v1/{kind}", json=body, headers={"Idempotency-Key": "k"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (404 if code == "no_endpoints" else 400, code, param)
    assert error["message"].endswith(".")
    assert error["request_id"] == answer.headers["X-Request-Id"]
    if code in WITH_ACCEPTED:
        assert error["accepted"]
    assert await count() == 0


async def test_the_accepted_values_are_named(client: httpx.AsyncClient) -> None:
    async def accepted(**fields: object) -> list[object]:
        answer = await client.post("/v1/videos", json=VIDEO | fields)
        return list(answer.json()["error"]["accepted"])

    model = (await client.get("/v1/models/sandbox/video")).json()
    assert await accepted(duration=59) == model["durations"]
    assert await accepted(size="123x457") == model["sizes"]
    assert "sandbox/video" in await accepted(model="sandbox/vidoe")
    assert await accepted(on_doubt="maybe") == ["fail", "retry", "fallback"]
    assert await accepted(priority=11) == ["<= 9"]
    assert await accepted(duration="5") == ["integer"]
    assert "only" in await accepted(provider={"olny": []})


async def test_several_faults_are_told_at_once_and_the_values_sent_are_not(client: httpx.AsyncClient) -> None:
    body = {"model": "sandbox/video", "prompt": ["very secret"], "priority": "very secret", "odd": "very secret"}
    answer = await client.post("/v1/videos", json=body)
    told = {item["param"] for item in answer.json()["error"]["details"]["errors"]}
    assert told == {"prompt", "priority", "odd"}
    assert "very secret" not in answer.text


RAW: list[tuple[bytes, int, str]] = [
    (b"", 400, "invalid_json"),
    (b"{", 400, "invalid_json"),
    (b"[]", 400, "invalid_request"),
    (b"null", 400, "invalid_request"),
    (b'"x"', 400, "invalid_request"),
    (b'{"seed": NaN}', 400, "invalid_json"),
    (b'{"prompt": "\\ud800"}', 400, "invalid_json"),
    (b'{"prompt": "\xff"}', 400, "invalid_json"),
    (b"[" * 100_000, 400, "invalid_json"),
    (b'{"prompt": "' + b"x" * 9_000_000 + b'"}', 413, "too_large"),
]


@pytest.mark.parametrize(("body", "status", "code"), RAW, ids=lambda value: str(value)[:24])
async def test_a_body_that_is_no_json_object_is_refused(
    client: httpx.AsyncClient, count: steps.Count, body: bytes, status: int, code: str
) -> None:
    answer = await client.post("/v1/videos", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert await count() == 0


async def test_the_size_is_counted_where_it_is_not_declared(client: httpx.AsyncClient, count: steps.Count) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 1_000_000

    answer = await client.post("/v1/videos", content=chunks(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert await count() == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": ""},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_what_is_not_declared_as_json_is_415(
    client: httpx.AsyncClient, count: steps.Count, headers: dict[str, str]
) -> None:
    answer = await client.post("/v1/videos", content=b'{"model": "sandbox/video", "prompt": "x"}', headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")
    assert await count() == 0


@pytest.mark.parametrize("key", ["", '""', "a b", "x" * 256, "sch\u00f6n".encode("latin-1"), "a\tb"])
async def test_a_bad_idempotency_key_is_refused(
    client: httpx.AsyncClient, count: steps.Count, key: str | bytes
) -> None:
    answer = await client.post(
        "/v1/videos", json=VIDEO, headers=[(b"Idempotency-Key", key if isinstance(key, bytes) else key.encode())]
    )
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Idempotency-Key")
    assert await count() == 0


QUERIES = [
    ("/v1/jobs?limit=0", "invalid_request", "limit"),
    ("/v1/jobs?limit=101", "invalid_request", "limit"),
    ("/v1/jobs?limit=x", "invalid_request", "limit"),
    ("/v1/jobs?cursor=x", "invalid_request", "cursor"),
    ("/v1/jobs?kind=song", "invalid_request", "kind"),
    ("/v1/jobs?status=done", "invalid_request", "status[0]"),
    ("/v1/jobs?created_after=yesterday", "invalid_request", "created_after"),
    ("/v1/jobs?created_after=2026-01-01T00:00:00", "invalid_request", "created_after"),
    ("/v1/jobs?created_after=9999-12-31T23:59:59-05:00", "invalid_request", "created_after"),
    ("/v1/jobs?model=a%00b", "invalid_request", "model"),
    ("/v1/jobs?metadata[a]=%00", "invalid_request", "metadata[a]"),
    ("/v1/jobs?metadata=a", "unknown_field", "metadata"),
    ("/v1/jobs?offset=3", "unknown_field", "offset"),
    ("/v1/models?page=1", "unknown_field", "page"),
    ("/v1/jobs/job_01k0zqj5w3m8v4t2c6n9xb7rde?wait=61", "invalid_request", "wait"),
    ("/v1/jobs/job_01k0zqj5w3m8v4t2c6n9xb7rde?expand=all", "invalid_request", "expand[0]"),
    ("/v1/jobs/job_01k0zqj5w3m8v4t2c6n9xb7rde/outputs/0?variant=big", "invalid_request", "variant"),
]


@pytest.mark.parametrize(("path", "code", "param"), QUERIES)
async def test_a_bad_query_is_refused(client: httpx.AsyncClient, path: str, code: str, param: str) -> None:
    answer = await client.get(path)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/jobs/x"),
        ("GET", "/v1/jobs/job_01k0zqj5w3m8v4t2c6n9xb7rde"),
        ("GET", "/v1/jobs/x?wait=1"),
        ("GET", "/v1/jobs/%00"),
        ("GET", "/v1/jobs/job_01K0ZQJ5W3M8V4T2C6N9XB7RDE"),
        ("DELETE", "/v1/jobs/x"),
        ("POST", "/v1/jobs/x/cancel"),
        ("POST", "/v1/jobs/x/rerun"),
        ("GET", "/v1/jobs/x/outputs/0"),
        ("HEAD", "/v1/jobs/x/outputs/0"),
        ("GET", "/v1/jobs/job_01k0zqj5w3m8v4t2c6n9xb7rde/outputs/-1"),
        ("GET", "/v1/jobs/job_01k0zqj5w3m8v4t2c6n9xb7rde/outputs/99999999999999999999"),
        ("GET", "/v1/models/nobody/knows"),
        ("GET", "/v1/nothing"),
        ("GET", "/v1/jobs/"),
    ],
)
async def test_what_is_not_there_is_404(client: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == 404
    if method != "HEAD":
        assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/jobs/x", "DELETE, GET"),
        ("GET", "/v1/videos", "POST"),
        ("POST", "/v1/jobs", "GET"),
        ("DELETE", "/v1/jobs/x/outputs/0", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_405_with_those_that_are_right(
    client: httpx.AsyncClient, method: str, path: str, allow: str
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == allow


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
        {"Authorization": "Bearer sch\u00f6n".encode("latin-1")},
    ],
)
async def test_without_a_good_key_it_is_401_before_anything_else(
    client: httpx.AsyncClient, count: steps.Count, headers: dict[str, str]
) -> None:
    for content in (b"{", b'{"model": "sandbox/video", "prompt": "x"}'):
        answer = await client.post("/v1/videos?odd=1", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert await count() == 0

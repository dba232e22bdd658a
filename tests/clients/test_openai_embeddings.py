"""`client.embeddings` of OpenAI's official Python client."""

import math

import httpx
import pytest

from tests.clients import scripted

# A whole script runs in the first test that asks for its report.
pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module", params=["openai3", "openai2"])
async def report(request: pytest.FixtureRequest, run: scripted.Run) -> scripted.Report:
    strict = request.param == "openai3"
    return await run(request.param, "openai_embeddings.py", STRICT="1" if strict else "0") | {"strict": strict}


def likeness(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_every_text_has_its_vector_in_its_place(report: scripted.Report) -> None:
    made = report["floats"]
    assert [item["index"] for item in made["data"]] == [0, 1, 2]
    first, second, third = (item["embedding"] for item in made["data"])
    assert len(first) == 64
    assert likeness(first, first) == pytest.approx(1, abs=1e-3)
    assert likeness(first, second) > likeness(first, third) + 0.2
    assert (made["model"], made["usage"]["prompt_tokens"]) == ("sandbox/embedding", 13)


def test_the_format_on_the_wire_makes_no_difference(report: scripted.Report) -> None:
    # Left to itself this client asks for base64, which its own strict reading then refuses, whoever answers.
    if report["strict"]:
        assert report["several"]["raised"] == "APIResponseValidationError"
        return
    packed, plain = report["several"]["data"], report["floats"]["data"]
    for one, other in zip(packed, plain, strict=True):
        assert all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(one["embedding"], other["embedding"], strict=True))


def test_one_text_many_texts_and_fewer_dimensions(report: scripted.Report) -> None:
    assert [len(item["embedding"]) for item in report["one"]["data"]] == [8]
    assert report["many"] == 2048


def test_embeddings_fall_back(report: scripted.Report) -> None:
    assert report["fallback"]["model"] == "sandbox/embedding"


def test_embeddings_that_fail_say_so(report: scripted.Report) -> None:
    assert (report["refused"]["raised"], report["refused"]["code"]) == ("BadRequestError", "generation_refused")
    assert (report["ragged"]["status_code"], report["ragged"]["code"]) == (502, "generation_failed")


@pytest.mark.parametrize(
    ("name", "code", "param"),
    [
        ("tokens", "unsupported_value", "input"),
        ("empty", "invalid_request", "input"),
        ("blank", "invalid_request", "input[1]"),
        ("too_many", "invalid_request", "input"),
        ("kind", "wrong_kind", "model"),
        ("chat", "wrong_kind", "model"),
        ("unknown", "unknown_parameter", "colour"),
    ],
)
def test_what_cannot_be_embedded_is_refused_by_name(report: scripted.Report, name: str, code: str, param: str) -> None:
    error = report[name]
    assert (error["raised"], error["code"], error["param"]) == ("BadRequestError", code, param)


async def test_an_embedding_is_a_job_with_a_record_and_a_charge(http: httpx.AsyncClient) -> None:
    body = {"model": "sandbox/embedding", "input": ["a heron", "a crane"], "dimensions": 3}
    made = (await http.post("/v1/embeddings", json=body)).raise_for_status().json()
    job = made
    while job["status"] in ("queued", "in_progress"):
        job = (await http.get(f"/v1/jobs/{made['id']}?wait=20")).json()
    assert (job["kind"], job["status"], job["usage"]["cost_micros"]) == ("embedding", "completed", 100)
    found = await http.get(f"/v1/jobs/{made['id']}/outputs/0", follow_redirects=True)
    assert [len(vector) for vector in found.json()] == [3, 3]
    listed = (await http.get("/v1/jobs?kind=embedding&limit=1")).json()["data"]
    assert listed[0]["id"] == made["id"]

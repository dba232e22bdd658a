"""Images, chats, responses, files, models and errors with OpenAI's official Python client."""

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.clients import scripted

# A whole script runs in the first test that asks for its report.
pytestmark = pytest.mark.timeout(240)

CLIENTS = ["openai3", "openai2"]
Reports = Callable[[str], Awaitable[scripted.Report]]


@pytest.fixture(scope="module", params=CLIENTS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def reports(version: str, run: scripted.Run) -> Reports:
    """The report of a script, which runs once for each client."""
    known: dict[str, scripted.Report] = {}

    async def of(name: str) -> scripted.Report:
        if name not in known:
            known[name] = await run(version, f"openai_{name}.py", STRICT="1" if version == "openai3" else "0")
        return known[name]

    return of


def magic(picture: dict[str, Any]) -> bytes:
    return base64.b64decode(picture["b64_json"])[:12]


async def test_images_come_as_bytes_or_as_links(reports: Reports) -> None:
    report = await reports("images")
    made = report["generate"]
    assert [magic(picture)[:8] for picture in made["data"]] == [b"\x89PNG\r\n\x1a\n"] * 2
    assert (made["size"], made["output_format"], made["cost_micros"]) == ("1024x1024", "png", 20_000)
    async with httpx.AsyncClient(trust_env=False) as plain:
        linked = await plain.get(report["url"]["data"][0]["url"])
    assert (linked.status_code, linked.headers["content-type"]) == (200, "image/png")
    assert magic(report["format"]["data"][0])[8:] == b"WEBP"


async def test_edits_take_one_picture_or_several(reports: Reports) -> None:
    report = await reports("images")
    for name in ("edit", "edit_several"):
        assert len(report[name]["data"]) == 1
    assert (report["edit_mask"]["code"], report["edit_mask"]["param"]) == ("unsupported_value", "mask")
    assert (report["edit_no_picture"]["raised"], report["edit_no_picture"]["param"]) == ("BadRequestError", "image")


async def test_a_stream_of_images_ends_with_the_picture(reports: Reports) -> None:
    (event,) = (await reports("images"))["stream"]
    assert event["type"] == "image_generation.completed"
    assert magic(event)[:8] == b"\x89PNG\r\n\x1a\n"


async def test_a_slow_image_outlives_the_clients_read_timeout(reports: Reports) -> None:
    assert len((await reports("images"))["slow"]["data"]) == 1


async def test_images_that_fail_say_so(reports: Reports, version: str) -> None:
    report = await reports("images")
    assert (report["refused"]["status_code"], report["refused"]["code"]) == (400, "generation_refused")
    unusable = report["unusable"]
    assert (unusable["status_code"], unusable["code"]) == (502, "generation_failed")
    assert unusable["headers"]["x-should-retry"] == "false"
    if version == "openai3":  # too late for a status: the strict client sees that this is no answer
        assert report["failed"]["raised"] == "APIResponseValidationError"
    else:
        assert (report["failed"]["data"], report["failed"]["error"]["code"]) == (None, "generation_failed")
    assert report["unsupported"]["param"] == "background"
    assert (report["size"]["param"], "1024x1024" in report["size"]["message"]) == ("size", True)


async def test_a_chat_is_answered_whole(reports: Reports) -> None:
    report = await reports("chats")
    made = report["create"]
    assert made["choices"][0]["finish_reason"] == "stop"
    assert made["choices"][0]["message"]["role"] == "assistant"
    assert "Rivers" in made["choices"][0]["message"]["content"]
    assert made["usage"]["total_tokens"] == made["usage"]["prompt_tokens"] + made["usage"]["completion_tokens"] > 0
    assert report["again"]["choices"] == made["choices"]
    assert report["schema"]["choices"][0]["message"]["content"].startswith("{")


async def test_a_chat_in_pieces_is_the_same_text(reports: Reports) -> None:
    report = await reports("chats")
    chunks = report["stream"]
    text = "".join(choice["delta"]["content"] or "" for chunk in chunks for choice in chunk["choices"])
    assert text == report["create"]["choices"][0]["message"]["content"]
    assert len(chunks) > 4
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["total_tokens"]) == (
        [],
        report["create"]["usage"]["total_tokens"],
    )
    assert report["stream_plain"][-1]["choices"][0]["finish_reason"] == "stop"
    assert report["slow_stream"][-1]["choices"][0]["finish_reason"] == "stop"


async def test_a_chat_falls_back(reports: Reports) -> None:
    assert (await reports("chats"))["fallback"]["model"] == "sandbox/text"


async def test_chats_that_fail_say_so(reports: Reports, version: str) -> None:
    report = await reports("chats")
    for name in ("refused", "refused_stream"):
        assert (report[name]["raised"], report[name]["code"]) == ("BadRequestError", "generation_refused")
    assert (report["early_expiry"]["status_code"], report["early_expiry"]["code"]) == (504, "timed_out")
    assert (report["late_stream"]["raised"], report["late_stream"]["code"]) == ("APIError", "timed_out")
    if version == "openai3":
        assert report["late_whole"]["raised"] == "APIResponseValidationError"
    else:
        assert (report["late_whole"]["choices"], report["late_whole"]["error"]["code"]) == (None, "timed_out")


@pytest.mark.parametrize(
    ("name", "param"),
    [("tools", "tools"), ("picture", "messages[0].content[0].type"), ("unknown_field", "colour")],
)
async def test_what_a_chat_cannot_do_is_refused_by_name(reports: Reports, name: str, param: str) -> None:
    refusal = (await reports("chats"))[name]
    assert (refusal["raised"], refusal["param"]) == ("BadRequestError", param)


async def test_responses_run_in_the_background(reports: Reports) -> None:
    report = await reports("responses")
    assert (report["create"]["status"], report["create"]["output"]) == ("queued", [])
    assert report["retrieve"]["status"] == "completed"
    assert report["retrieve"]["usage"]["total_tokens"] > 0
    assert "Rivers" in report["output_text"]
    assert [item["role"] for item in report["input_items"]] == ["system", "user"]
    assert report["waited"]["output"][0]["content"][0]["type"] == "output_text"
    assert report["schema"]["output"][0]["content"][0]["text"].startswith("{")


async def test_responses_fail_and_are_cancelled_and_deleted(reports: Reports) -> None:
    report = await reports("responses")
    assert (report["failed"]["status"], report["failed"]["error"]["code"]) == ("failed", "server_error")
    assert report["cancelled"]["status"] == "cancelled"
    assert (report["cancel_over"]["raised"], report["cancel_over"]["code"]) == ("ConflictError", "conflict")
    assert (report["delete"], report["retrieve_deleted"]["raised"]) == ("deleted", "NotFoundError")
    assert report["stream"]["param"] == "stream"


async def test_files_are_kept_listed_read_and_deleted(reports: Reports) -> None:
    report = await reports("files")
    assert (report["create"]["bytes"], report["create"]["filename"]) == (9, "rows.jsonl")
    assert (report["create"]["purpose"], report["wait"]["status"]) == ("batch", "processed")
    assert report["create_bytes"]["filename"] == "upload"
    assert (report["create_large"]["bytes"], report["large_is_whole"]) == (16 * 1024 * 1024, True)
    assert report["expires"]["expires_at"] - report["expires"]["created_at"] == 3600
    assert report["content"] == '{"a": 1}\n'
    assert report["list"] == sorted(report["list"])
    assert {report["create"]["id"], report["create_large"]["id"]} < set(report["list"])
    assert report["create"]["id"] in report["list_purpose"]
    assert report["create_bytes"]["id"] not in report["list_purpose"]
    assert (report["delete"]["deleted"], report["retrieve_deleted"]["raised"]) == (True, "NotFoundError")
    assert report["expiry_too_short"]["param"] == "expires_after.seconds"
    assert report["purpose"]["param"] == "purpose"


async def test_models_are_listed_and_found(reports: Reports) -> None:
    report = await reports("files")
    assert {"sandbox/video", "sandbox/image", "sandbox/text"} <= {model["id"] for model in report["models"]}
    assert (report["model"]["owned_by"], report["model"]["kind"]) == ("sandbox", "video")
    assert (report["model_unknown"]["raised"], report["model_unknown"]["code"]) == ("NotFoundError", "model_not_found")


ERRORS = [
    ("key", "AuthenticationError", 401, "invalid_api_key", None),
    ("model", "NotFoundError", 404, "model_not_found", "model"),
    ("kind", "BadRequestError", 400, "wrong_kind", "model"),
    ("seconds", "BadRequestError", 400, "unsupported_value", "seconds"),
    ("seconds_word", "BadRequestError", 400, "invalid_request", "seconds"),
    ("size", "BadRequestError", 400, "invalid_request", "size"),
    ("prompt", "BadRequestError", 400, "invalid_request", "prompt"),
    ("unknown", "BadRequestError", 400, "unknown_parameter", "colour"),
    ("reference", "BadRequestError", 400, "invalid_request", "input_reference"),
    ("not_found", "NotFoundError", 404, "not_found", None),
    ("content_not_found", "NotFoundError", 404, "not_found", None),
    ("route", "NotFoundError", 404, "not_found", None),
    ("method", "APIStatusError", 405, "method_not_allowed", None),
    ("media_type", "APIStatusError", 415, "unsupported_media_type", "Content-Type"),
    ("json", "BadRequestError", 400, "invalid_json", None),
    ("too_large", "APIStatusError", 413, "too_large", None),
    ("edit", "BadRequestError", 400, "unsupported_value", "video"),
    ("extend", "BadRequestError", 400, "unsupported_value", "video"),
    ("character", "BadRequestError", 400, "unsupported_value", "video"),
    ("limit", "BadRequestError", 400, "invalid_request", "limit"),
    ("no_endpoints", "NotFoundError", 404, "no_endpoints", None),
    ("conflict", "ConflictError", 409, "not_finished", None),
    ("failed", "InternalServerError", 502, "generation_failed", None),
]


@pytest.mark.parametrize(("name", "raised", "status", "code", "param"), ERRORS, ids=[row[0] for row in ERRORS])
async def test_errors_are_what_the_client_expects(
    reports: Reports, name: str, raised: str, status: int, code: str, param: str | None
) -> None:
    error = (await reports("errors"))[name]
    assert (error["raised"], error["status_code"], error["code"], error["param"]) == (raised, status, code, param)
    assert error["request_id"].startswith("req_")
    assert error["type"]


async def test_what_would_only_cost_again_is_not_repeated(reports: Reports) -> None:
    report = await reports("errors")
    assert (report["conflict_tries"], report["failed_tries"]) == (1, 1)

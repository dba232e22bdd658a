"""`client.files` and `client.batches` of OpenAI's official Python client. CLIENT_BATCH_LINES=50000 runs a large one."""

import os

import pytest

from tests.clients import scripted

LINES = int(os.environ.get("CLIENT_BATCH_LINES", "1000"))


@pytest.fixture(scope="module", params=["openai3", "openai2"])
async def report(request: pytest.FixtureRequest, run: scripted.Run) -> scripted.Report:
    strict = "1" if request.param == "openai3" else "0"
    lines = str(LINES) if request.param == "openai3" else "20"
    made = await run(request.param, "openai_batches.py", STRICT=strict, LINES=lines)
    return made | {"lines": int(lines)}


def test_every_line_has_its_answer(report: scripted.Report) -> None:
    assert (report["create"]["status"], report["create"]["output_file_id"]) == ("validating", None)
    ended = report["end"]
    lines = report["lines"]
    assert (ended["status"], ended["error_file_id"]) == ("completed", None)
    assert ended["request_counts"] == {"total": lines, "completed": lines, "failed": 0}
    assert report["names"] == [lines, lines]
    assert (ended["metadata"], ended["endpoint"]) == ({"order": "17"}, "/v1/chat/completions")
    assert ended["created_at"] <= ended["in_progress_at"] <= ended["completed_at"] < ended["expires_at"]


def test_an_answer_is_a_whole_completion(report: scripted.Report) -> None:
    first = report["first"]
    assert (first["custom_id"], first["error"], first["response"]["status_code"]) == ("row-0", None, 200)
    completion = first["response"]["body"]
    assert completion["choices"][0]["message"]["content"]
    assert completion["model"] == "sandbox/text-instant"
    assert (report["file"]["purpose"], report["file"]["filename"].endswith(".jsonl")) == ("batch_output", True)


def test_bad_lines_stop_no_good_ones(report: scripted.Report) -> None:
    assert report["mixed"]["request_counts"] == {"total": 4, "completed": 1, "failed": 3}
    assert [item["custom_id"] for item in report["mixed_good"]] == ["row-1"]
    bad = report["mixed_bad"]
    assert [item["response"] for item in bad] == [None] * 3
    assert bad[0]["custom_id"] == "row-2"
    assert bad[0]["error"]["code"] == "content_policy"
    assert all(item["error"]["message"] for item in bad)


def test_videos_in_a_batch(report: scripted.Report) -> None:
    assert report["video"]["status"] == "completed"
    body = report["video_answer"][0]["response"]["body"]
    assert (body["object"], body["status"], body["size"], body["seconds"]) == ("video", "completed", "640x360", "4")


def test_a_batch_fails_or_is_cancelled(report: scripted.Report) -> None:
    assert report["empty"]["status"] == "failed"
    assert report["empty"]["errors"]["data"][0]["message"]
    assert report["cancel"]["status"] == "cancelling"
    cancelled = report["cancelled"]
    counts = cancelled["request_counts"]
    assert cancelled["status"] == "cancelled"
    assert counts["completed"] + counts["failed"] == counts["total"]


def test_lists_keys_and_errors(report: scripted.Report) -> None:
    assert report["create"]["id"] in report["list"]
    assert report["keyed_1"]["id"] == report["keyed_2"]["id"]
    assert (report["no_file"]["raised"], report["no_file"]["code"]) == ("NotFoundError", "not_found")
    assert (report["endpoint"]["raised"], report["endpoint"]["param"]) == ("BadRequestError", "endpoint")
    assert (report["window"]["raised"], report["window"]["param"]) == ("BadRequestError", "completion_window")
    assert report["unknown"]["raised"] == "NotFoundError"

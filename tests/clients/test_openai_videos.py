"""`client.videos` of the official Python client: version 3 reading strictly, and version 2 as it comes."""

import re

import pytest

from tests.clients import scripted

MP4_HEAD = "AAAAIGZ0eXBpc29t"
JPEG_HEAD = "/9j/"


@pytest.fixture(scope="module", params=["openai3", "openai2"])
async def report(request: pytest.FixtureRequest, run: scripted.Run) -> scripted.Report:
    return await run(request.param, "openai_videos.py", STRICT="1" if request.param == "openai3" else "0")


def test_create_and_poll_comes_back_with_the_finished_video(report: scripted.Report) -> None:
    video = report["create_and_poll"]
    assert (video["status"], video["progress"], video["error"]) == ("completed", 100, None)
    assert (video["model"], video["seconds"], video["size"]) == ("sandbox/video", "4", "1280x720")
    assert video["prompt"] == "a heron"
    assert video["created_at"] <= video["completed_at"] < video["expires_at"]
    assert video["cost_micros"] == 200_000


def test_create_answers_at_once_with_every_key(report: scripted.Report) -> None:
    video = report["create"]
    assert video["status"] == "queued"
    assert (video["completed_at"], video["expires_at"], video["remixed_from_video_id"]) == (None, None, None)
    assert (video["size"], video["job_status"]) == ("720x1280", "queued")
    assert report["poll"]["status"] == report["retrieve"]["status"] == "completed"


def test_a_poll_is_told_when_to_come_again(report: scripted.Report) -> None:
    headers = report["poll_headers"]
    assert headers["openai-poll-after-ms"] == "500"
    assert re.fullmatch(r"req_\w{26}", headers["x-request-id"])


def test_the_content_and_its_variants_are_what_they_are_called(report: scripted.Report) -> None:
    assert report["video"]["head"].startswith(MP4_HEAD)
    assert report["streamed"] == report["video"]
    assert report["thumbnail"]["head"].startswith(JPEG_HEAD)
    assert report["spritesheet"]["head"].startswith(JPEG_HEAD)
    assert len({report[name]["bytes"] for name in ("video", "thumbnail", "spritesheet")}) == 3


def test_a_remix_is_a_new_video_that_names_the_old(report: scripted.Report) -> None:
    old = report["create_and_poll"]
    assert report["remix"]["remixed_from_video_id"] == old["id"] != report["remix"]["id"]
    end = report["remix_end"]
    assert (end["status"], end["prompt"], end["size"]) == ("completed", "a heron at night", old["size"])
    assert (report["remix_early"]["raised"], report["remix_early"]["code"]) == ("ConflictError", "conflict")


def test_lists_turn_their_pages_to_the_end(report: scripted.Report) -> None:
    ascending, descending = report["list_asc"], report["list_desc"]
    assert ascending == sorted(ascending) == descending[::-1]
    assert report["create"]["id"] in ascending
    page = report["list_page"]
    assert page["has_more"] is True
    assert page["first_id"] == page["last_id"] == page["data"][0]["id"] == descending[0]


@pytest.mark.parametrize(
    "name", ["reference_bytes", "reference_io", "reference_tuple", "reference_bracketed", "json", "extras"]
)
def test_every_way_of_sending_a_request_is_taken(report: scripted.Report, name: str) -> None:
    assert report[name]["object"] == "video", report[name]


def test_our_own_fields_ride_along(report: scripted.Report) -> None:
    video = report["extras"]
    assert (video["status"], video["served_model"], video["attempts"]) == ("completed", "sandbox/video", 2)
    assert video["metadata"] == {"order": "17"}


def test_one_idempotency_key_is_one_video(report: scripted.Report) -> None:
    assert report["keyed_1"]["id"] == report["keyed_2"]["id"]
    other = report["keyed_other"]
    assert (other["raised"], other["code"]) == ("UnprocessableEntityError", "idempotency_mismatch")


def test_failed_and_expired_are_ends_with_a_code(report: scripted.Report) -> None:
    assert (report["failed"]["status"], report["failed"]["error"]["code"]) == ("failed", "content_policy")
    assert (report["expired"]["status"], report["expired"]["error"]["code"]) == ("failed", "expired")
    assert report["expired"]["job_status"] == "expired"


def test_deleting_cancels_what_runs_and_forgets_what_is_done(report: scripted.Report) -> None:
    early = report["content_early"]
    assert (early["raised"], early["code"], early["headers"]["x-should-retry"]) == (
        "ConflictError",
        "not_finished",
        "false",
    )
    for name in ("delete_running", "delete"):
        assert (report[name]["deleted"], report[name]["object"]) == (True, "video.deleted")
    assert report["retrieve_deleted"]["raised"] == "NotFoundError"
    assert (report["content_deleted"]["status_code"], report["content_deleted"]["code"]) == (410, "gone")

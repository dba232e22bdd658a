"""OpenRouter's official Python client."""

import base64

import pytest

from tests.clients import scripted

# A whole script runs in the first test that asks for its report.
pytestmark = pytest.mark.timeout(240)

MP4_HEAD = "AAAAIGZ0eXBpc29t"


@pytest.fixture(scope="module")
async def videos(run: scripted.Run) -> scripted.Report:
    return await run("openrouter", "openrouter_videos.py")


@pytest.fixture(scope="module")
async def others(run: scripted.Run) -> scripted.Report:
    return await run("openrouter", "openrouter_others.py")


def test_a_video_is_generated_polled_and_downloaded(videos: scripted.Report) -> None:
    assert set(videos["generate"]) == {"id", "polling_url", "status"}
    assert videos["generate"]["status"] == "pending"
    job = videos["get_generation"]
    assert (job["status"], job["generation_id"], job["usage"]["cost"]) == ("completed", job["id"], 0.25)
    assert job["unsigned_urls"] == [f"{job['polling_url']}/content?index=0"]
    assert videos["content"]["head"].startswith(MP4_HEAD)
    assert videos["signed"] == videos["content"]
    assert videos["content_index"]["message"] == "Video index 5 out of range (1 videos available)"


def test_the_generation_tells_what_became_of_it(videos: scripted.Report) -> None:
    data = videos["generation"]["data"]
    assert (data["api_type"], data["total_cost"], data["provider_name"]) == ("video", 0.25, "sandbox")
    assert [response["status"] for response in data["provider_responses"]] == [200]


def test_one_idempotency_key_is_one_video(videos: scripted.Report) -> None:
    assert videos["keyed_1"] == videos["keyed_2"]
    assert videos["keyed_other"]["status_code"] == 422


@pytest.mark.parametrize("name", ["frames", "references", "observed"])
def test_every_field_the_client_offers_is_taken(videos: scripted.Report, name: str) -> None:
    assert videos[name]["status"] == "pending"


def test_a_failed_video_says_why(videos: scripted.Report) -> None:
    failed = videos["failed"]
    assert (failed["status"], failed["error"]) == ("failed", "The prompt was refused by the content policy.")
    assert "usage" not in failed
    assert (videos["content_early"]["raised"], videos["content_early"]["status_code"]) == ("ConflictResponseError", 409)


ERRORS = [
    ("unknown_job", "NotFoundResponseError", 404, "not_found"),
    ("duration", "BadRequestResponseError", 400, "invalid_request"),
    ("no_prompt", "BadRequestResponseError", 400, "invalid_request"),
    ("model_unknown", "BadRequestResponseError", 400, "invalid_request"),
    ("previous", "BadRequestResponseError", 400, "invalid_request"),
    ("options", "BadRequestResponseError", 400, "invalid_request"),
    ("key", "UnauthorizedResponseError", 401, "authentication"),
]


@pytest.mark.parametrize(("name", "raised", "code", "kind"), ERRORS, ids=[row[0] for row in ERRORS])
def test_errors_are_what_the_client_expects(
    videos: scripted.Report, name: str, raised: str, code: int, kind: str
) -> None:
    error = videos[name]
    assert (error["raised"], error["code"], error["metadata"]["error_type"]) == (raised, code, kind)


def test_video_models_are_readable(videos: scripted.Report) -> None:
    listed = {model["id"]: model for model in videos["models"]["data"]}
    model = listed["sandbox/video"]
    assert model["pricing_skus"] == {"duration_seconds": "0.05"}
    assert (4 in model["supported_durations"], "16:9" in model["supported_aspect_ratios"]) == (True, True)


def test_images_come_as_bytes(others: scripted.Report) -> None:
    made = others["image"]
    assert [picture["media_type"] for picture in made["data"]] == ["image/png"] * 2
    assert base64.b64decode(made["data"][0]["b64_json"]).startswith(b"\x89PNG")
    assert made["usage"]["cost"] == 0.02
    assert others["image_shape"]["data"][0]["media_type"] == "image/webp"
    assert len(others["image_slow"]["data"]) == len(others["image_routed"]["data"]) == 1
    assert [event["type"] for event in others["image_stream"]] == ["image_generation.completed"]


def test_images_that_fail_say_so(others: scripted.Report) -> None:
    assert (others["image_refused"]["code"], others["image_refused"]["raised"]) == (400, "BadRequestResponseError")
    assert (others["image_failed"]["code"], others["image_failed"]["raised"]) == (502, "BadGatewayResponseError")
    assert "1024x1024" in others["image_no_shape"]["message"]


def test_chats_are_answered_whole_and_in_pieces(others: scripted.Report) -> None:
    text = others["chat"]["choices"][0]["message"]["content"]
    assert "Rivers" in text
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in others["chat_stream"]) == text
    assert others["chat_stream"][-1]["choices"][0]["finish_reason"] == "stop"


def test_chats_fall_back_and_obey_their_routing(others: scripted.Report) -> None:
    assert others["chat_models"]["model"] == others["chat_provider"]["model"] == "sandbox/text"
    assert (others["chat_nobody"]["raised"], others["chat_nobody"]["code"]) == ("NotFoundResponseError", 404)


def test_chats_that_fail_say_so(others: scripted.Report) -> None:
    assert others["chat_refused"]["code"] == 400
    (last,) = others["chat_late"]
    assert (last["error"]["code"], last["choices"][0]["finish_reason"]) == (502, "error")


def test_the_catalog_is_readable(others: scripted.Report) -> None:
    assert others["models"]["links"] == {"next": None}
    assert "sandbox/text" in {model["id"] for model in others["models"]["data"]}
    assert "sandbox/video" not in {model["id"] for model in others["models"]["data"]}
    assert "sandbox/video" in {model["id"] for model in others["models_video"]["data"]}
    [embedding] = [model for model in others["models_embeddings"]["data"] if model["id"] == "sandbox/embedding"]
    assert embedding["architecture"]["output_modalities"] == ["embeddings"]
    assert others["models_nonsense"]["code"] == 400
    assert others["count"]["data"]["count"] > others["models"]["total_count"]
    assert others["model"]["data"]["id"] == others["endpoints"]["data"]["id"] == "sandbox/text"
    assert others["endpoints"]["data"]["endpoints"][0]["pricing"]["request"] == "0.0005"
    assert others["endpoints_unknown"]["code"] == 404
    assert "sandbox/image" in {model["id"] for model in others["image_models"]["data"]}
    assert others["image_endpoints"]["endpoints"][0]["pricing"][0]["cost_usd"] == 0.01
    assert "sandbox" in {provider["slug"] for provider in others["providers"]["data"]}

"""The files are real, exact and always the same."""

import io
from typing import Any

import av
import httpx
import pytest
from PIL import Image

from shared.providers.sandbox import media
from tests.sandbox import client

FRAME_SECONDS = 1 / 24


def _film(data: bytes) -> dict[str, Any]:
    with av.open(io.BytesIO(data), "r") as film:
        picture = film.streams.video[0]
        facts: dict[str, Any] = {
            "codec": picture.codec_context.name,
            "pixels": picture.codec_context.pix_fmt,
            "size": (picture.width, picture.height),
            "seconds": (film.duration or 0) / av.time_base,
            "sound": len(film.streams.audio),
        }
        return {**facts, "frames": sum(1 for _ in film.decode(picture))}


@pytest.mark.parametrize(
    ("size", "duration", "sound"),
    [("160x90", 1, False), ("1280x720", 4, False), ("90x160", 2.5, True), ("64x64", 0.3, True)],
)
async def test_a_video_has_the_size_and_duration_asked_for(
    sandbox: client.Sandbox, size: str, duration: float, sound: bool
) -> None:
    view = await sandbox.finished("video-instant", size=size, duration=duration, generate_audio=sound)
    answer = await sandbox.download(view)
    assert answer.headers["content-type"] == view["outputs"][0]["media_type"] == "video/mp4"
    film = _film(answer.content)
    assert (film["codec"], film["pixels"]) == ("h264", "yuv420p")
    assert film["size"] == tuple(map(int, size.split("x")))
    assert abs(film["seconds"] - duration) <= FRAME_SECONDS
    assert abs(film["frames"] - duration * 24) <= 1
    assert film["sound"] == sound


async def test_a_video_can_start_before_it_is_whole(sandbox: client.Sandbox) -> None:
    data = (await sandbox.download(await sandbox.finished("video-instant"))).content
    assert 0 < data.index(b"moov") < data.index(b"mdat")


async def test_a_video_moves(sandbox: client.Sandbox) -> None:
    data = (await sandbox.download(await sandbox.finished("video-instant"))).content
    with av.open(io.BytesIO(data), "r") as film:
        frames = [bytes(frame.planes[0]) for frame in film.decode(video=0)]
    brightness = zip(frames[0], frames[-1], strict=True)
    assert sum(abs(first - last) > 20 for first, last in brightness) > 500


@pytest.mark.parametrize("format_", ["png", "jpeg", "webp"])
async def test_an_image_has_the_format_and_size_asked_for(sandbox: client.Sandbox, format_: str) -> None:
    view = await sandbox.finished("image", format=format_, size="321x123")
    answer = await sandbox.download(view)
    assert answer.headers["content-type"] == view["outputs"][0]["media_type"] == f"image/{format_}"
    with Image.open(io.BytesIO(answer.content)) as image:
        image.load()
        assert (image.format or "").lower() == format_
        assert image.size == (321, 123)
        assert len(image.convert("RGB").getcolors(1_000_000) or []) > 100  # a picture, not one colour


@pytest.mark.parametrize("model", ["video-instant", "image"])
async def test_the_same_prompt_and_seed_give_the_same_bytes(sandbox: client.Sandbox, model: str) -> None:
    async def bytes_of(**inputs: object) -> bytes:
        return bytes((await sandbox.download(await sandbox.finished(model, **inputs))).content)

    first = await bytes_of(prompt="a lake", seed=7)
    assert await bytes_of(prompt="a lake", seed=7) == first
    assert await bytes_of(prompt="a lake", seed=8) != first
    assert await bytes_of(prompt="a moor", seed=7) != first


def test_bytes_do_not_depend_on_the_cache() -> None:
    order = media.Order("a lake", 7, 160, 90, "mp4", 1.0, audio=True)
    assert media.make(order) == media.make(order)


async def test_several_outputs_are_several_pictures(sandbox: client.Sandbox) -> None:
    view = await sandbox.finished("image", n=3)
    files = [(await sandbox.http.get(output["url"])).content for output in view["outputs"]]
    assert len(set(files)) == 3
    assert (await sandbox.http.get(f"/media/{view['id']}/3")).status_code == 404


async def test_no_file_before_the_end(sandbox: client.Sandbox) -> None:
    answer = await sandbox.ask("video-slow", sandbox_seconds=600)
    assert (await sandbox.http.get(f"/media/{answer.json()['id']}/0")).status_code == 404


async def test_garbage_is_no_media(sandbox: client.Sandbox) -> None:
    answer = await sandbox.download(await sandbox.finished("video-garbage-output"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    with pytest.raises(av.error.FFmpegError):
        _film(answer.content)


async def test_a_truncated_body_is_shorter_than_it_says(sandbox: client.Sandbox) -> None:
    view = await sandbox.finished("video-truncated")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        await sandbox.download(view)


async def test_a_truncated_file_opens_but_lacks_frames(sandbox: client.Sandbox) -> None:
    whole = await sandbox.download(await sandbox.finished("video-instant"))
    half = await sandbox.download(await sandbox.finished("video-truncated-file"))
    assert int(half.headers["content-length"]) == len(half.content) == len(whole.content) // 2
    assert _film(whole.content)["frames"] == 24
    try:
        frames = _film(half.content)["frames"]
    except av.error.FFmpegError:
        frames = 0
    assert frames < 24


async def test_an_oversize_body_does_not_end(sandbox: client.Sandbox) -> None:
    view, seen = await sandbox.finished("image-oversize"), 0
    async with sandbox.http.stream("GET", view["outputs"][0]["url"]) as answer:
        assert "content-length" not in answer.headers
        async for piece in answer.aiter_bytes():
            seen += len(piece)
            if seen > 20_000_000:
                break
    assert seen > 20_000_000


@pytest.mark.parametrize(
    ("model", "label", "start"), [("video", "video/mp4", b"\x89PNG"), ("image", "image/png", b"\0\0\0")]
)
async def test_a_wrong_type_is_labelled_as_asked(sandbox: client.Sandbox, model: str, label: str, start: bytes) -> None:
    answer = await sandbox.download(await sandbox.finished(f"{model}-wrong-type"))
    assert answer.headers["content-type"] == label
    assert answer.content.startswith(start)


async def test_a_redirect_leads_to_a_host_that_would_serve_it(sandbox: client.Sandbox) -> None:
    answer = await sandbox.download(await sandbox.finished("image-redirect"))
    assert answer.status_code == 302
    assert httpx.URL(answer.headers["location"]).host == "127.0.0.9"
    followed = await sandbox.http.get(answer.headers["location"])
    assert followed.content.startswith(b"\x89PNG")


async def test_odd_results(sandbox: client.Sandbox) -> None:
    private = await sandbox.finished("video-private")
    assert private["outputs"][0]["url"].startswith("http://169.254.169.254/")
    expired = await sandbox.download(await sandbox.finished("video-expired-media"))
    assert (expired.status_code, expired.json()["error"]["code"]) == (410, "expired")
    for kind in ("video", "image", "text"):
        nothing = await sandbox.finished(f"{kind}-no-media")
        assert (nothing["status"], nothing["outputs"]) == ("succeeded", [])

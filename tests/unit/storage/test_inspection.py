"""`completed` promises bytes that were opened: whole files pass, every broken one is refused."""

import random
import struct
import zlib
from pathlib import Path

import av
import pytest

from shared.domain import states
from shared.storage import films, forms, inspection, pictures, unusable
from tests.unit.storage import making

VIDEO, IMAGE, TEXT = states.Kind.VIDEO, states.Kind.IMAGE, states.Kind.TEXT
# The length of an H.264 unit, its type, and the first bits of its slice.
NAL_HEAD_BYTES = 7
INDEX_FIRST = making.Film(options={"movflags": "+faststart"})


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


async def reason(path: Path, kind: states.Kind) -> str:
    with pytest.raises(unusable.UnusableOutputError) as caught:
        await inspection.inspect(path, kind)
    return caught.value.reason


@pytest.mark.parametrize(
    ("name", "wanted", "media_type"),
    [
        ("a.mp4", making.Film(), "video/mp4"),
        ("b.mp4", INDEX_FIRST, "video/mp4"),
        ("c.mov", making.Film(sound=True), "video/quicktime"),
        ("d.webm", making.Film(codec="libvpx-vp9"), "video/webm"),
        ("live.webm", making.Film(codec="libvpx-vp9", options={"live": "1"}), "video/webm"),
        ("long.webm", making.Film(codec="libvpx-vp9", frames_per_key_frame=10), "video/webm"),
        ("e.mp4", making.Film(sound=True, options={"movflags": "frag_keyframe+empty_moov"}), "video/mp4"),
    ],
)
async def test_a_whole_video_is_measured(tmp_path: Path, name: str, wanted: making.Film, media_type: str) -> None:
    found = await inspection.inspect(making.film(tmp_path / name, wanted), VIDEO)
    assert (found.media_type, found.extension) == (media_type, name.split(".")[1])
    assert (found.width, found.height) == (320, 180)
    assert found.duration_seconds == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("wanted", [making.Film(sound=True), making.Film(sound=True, options=INDEX_FIRST.options)])
async def test_a_cut_mp4_is_refused(tmp_path: Path, wanted: making.Film, share: float) -> None:
    path = making.cut(making.film(tmp_path / "cut.mp4", wanted), share)
    assert "cut short" in await reason(path, VIDEO) or "cannot be decoded" in await reason(path, VIDEO)


@pytest.mark.parametrize("lost_bytes", [1, 40])
async def test_an_mp4_that_lacks_its_last_bytes_is_refused(tmp_path: Path, lost_bytes: int) -> None:
    path = making.film(tmp_path / "cut.mp4", INDEX_FIRST)
    write(path, path.read_bytes()[:-lost_bytes])
    assert "cut short" in await reason(path, VIDEO)


@pytest.mark.parametrize("share", [0.3, 0.7])
async def test_a_cut_webm_is_refused(tmp_path: Path, share: float) -> None:
    path = making.cut(making.film(tmp_path / "cut.webm", making.Film(codec="libvpx-vp9")), share)
    assert await reason(path, VIDEO)


async def test_an_mp4_whose_pictures_are_noise_is_refused(tmp_path: Path) -> None:
    path = making.film(tmp_path / "noise.mp4", INDEX_FIRST)
    data = path.read_bytes()
    begin = data.index(b"mdat") + 4
    write(path, data[:begin] + bytes(len(data) - begin))
    assert await reason(path, VIDEO)


@pytest.mark.parametrize("share", [0.5, 0.9])
async def test_an_mp4_that_rots_towards_its_end_is_refused(tmp_path: Path, share: float) -> None:
    path = making.film(tmp_path / "rotten.mp4", INDEX_FIRST)
    data = path.read_bytes()
    whole = int(len(data) * share)
    assert whole > data.index(b"mdat")
    write(path, data[:whole] + bytes(len(data) - whole))
    assert "cannot be decoded" in await reason(path, VIDEO)


async def test_rotten_frames_after_the_last_key_frame_are_refused(tmp_path: Path) -> None:
    """Heads and lengths are whole; only decoding tells."""
    path = making.film(tmp_path / "rotten.mp4", INDEX_FIRST)
    data, noise = bytearray(path.read_bytes()), random.Random(1)  # noqa: S311 - filling
    for begin, size in making.frames(path)[30:]:
        payload = slice(begin + NAL_HEAD_BYTES, begin + size)
        data[payload] = noise.randbytes(payload.stop - payload.start)
    assert "cannot be decoded" in await reason(write(path, bytes(data)), VIDEO)


async def test_a_last_packet_cut_short_is_refused(tmp_path: Path) -> None:
    """The box around the pictures was shortened with them: nothing but the packet itself tells."""
    path = making.film(tmp_path / "cut.mp4", INDEX_FIRST)
    data = path.read_bytes()[:-40]
    at = data.index(b"mdat") - 4
    write(path, data[:at] + struct.pack(">I", len(data) - at) + data[at + 4 :])
    assert await reason(path, VIDEO) == "The video is cut short: a packet is incomplete."


async def test_an_mp4_without_a_picture_is_refused(tmp_path: Path) -> None:
    assert await reason(making.sound_only(tmp_path / "sound.mp4"), VIDEO) == "The file has no video stream."


async def test_a_playlist_is_no_video_and_is_not_followed(tmp_path: Path) -> None:
    making.film(tmp_path / "real.mp4")
    listing = write(tmp_path / "list.mp4", b"ffconcat version 1.0\nfile real.mp4\n")
    with av.open(str(listing)) as followed:
        assert followed.streams.video
    assert "no video of a form we know" in await reason(listing, VIDEO)
    # Even where our own look was deceived: the form is given to FFmpeg, which must not guess again.
    with pytest.raises(av.error.InvalidDataError), films.opened(listing, forms.WEBM):
        pass


@pytest.mark.parametrize(
    ("form", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp"), ("GIF", "image/gif")]
)
async def test_a_whole_image_is_measured_and_a_cut_one_refused(tmp_path: Path, form: str, media_type: str) -> None:
    path = write(tmp_path / "image", making.picture(form))
    found = await inspection.inspect(path, IMAGE)
    assert (found.media_type, found.width, found.height, found.duration_seconds) == (media_type, 320, 200, None)
    assert "cannot be decoded" in await reason(making.cut(path, 0.6), IMAGE)


async def test_a_png_without_its_end_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "image", making.picture("PNG")[:-12])
    assert "cannot be decoded" in await reason(path, IMAGE)


async def test_a_png_with_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    data = bytearray(making.picture("PNG"))
    data[len(data) // 2] ^= 0xFF
    assert "cannot be decoded" in await reason(write(tmp_path / "flipped", bytes(data)), IMAGE)


async def test_every_frame_of_an_animation_is_opened(tmp_path: Path) -> None:
    path = write(tmp_path / "moving.gif", making.animation())
    assert (await inspection.inspect(path, IMAGE)).width == 64
    assert "cannot be decoded" in await reason(making.cut(path, 0.9), IMAGE)


@pytest.mark.parametrize(("side", "words"), [(10_100, "pixels"), (60_000, "pixels")])
async def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, side: int, words: str) -> None:
    assert side * side > pictures.MOST_PIXELS
    assert words in await reason(write(tmp_path / "bomb.png", png_head(side)), IMAGE)


def png_head(side: int) -> bytes:
    """A PNG that promises a huge picture and holds nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    shape = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", shape) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")


async def test_the_kind_must_be_the_one_asked_for(tmp_path: Path) -> None:
    image = write(tmp_path / "image", making.picture("PNG"))
    film = making.film(tmp_path / "film.mp4")
    assert await reason(image, VIDEO) == "Asked for video, the bytes are image/png."
    assert await reason(film, IMAGE) == "Asked for image, the bytes are video/mp4."
    assert await reason(write(tmp_path / "noise", b"\x00\x01noise" * 100), VIDEO)
    assert await reason(write(tmp_path / "nothing", b""), IMAGE) == "The file is empty."


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b" \n\t ", "empty"),
        (b"caf\xe9", "not UTF-8"),
        ("é".encode()[:1], "not UTF-8"),
        (b"a\0b", "NUL"),
    ],
)
async def test_text_must_be_readable(tmp_path: Path, data: bytes, words: str) -> None:
    assert words in await reason(write(tmp_path / "text", data), TEXT)


async def test_text_is_read_across_pieces(tmp_path: Path) -> None:
    path = write(tmp_path / "text", ("a" + "é" * inspection.TEXT_CHUNK_BYTES).encode())
    found = await inspection.inspect(path, TEXT)
    assert (found.media_type, found.extension, found.width) == ("text/plain; charset=utf-8", "txt", None)

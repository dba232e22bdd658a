"""Real media files: H.264 in MP4 through PyAV, pictures through Pillow. Same order, same bytes.

These functions block for up to some seconds; call them in a thread. PyAV and Pillow let go of the
interpreter lock for most of that time.
"""

from __future__ import annotations

import array
import collections.abc
import dataclasses
import fractions
import io
import math
import pathlib
import tempfile

import av
from av import audio, container, video

from shared.providers.sandbox import scenery

FRAMES_PER_SECOND = 24
PAINTED_VIDEO_SIDE = 640
PAINTED_IMAGE_SIDE = 1600
AUDIO_RATE = 48_000
AUDIO_FRAME = 1024
CHORD_HERTZ = (220, 277, 330)


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """Everything a file depends on. `duration_seconds` is None for a picture."""

    prompt: str
    seed: int
    width: int
    height: int
    format: str
    duration_seconds: float | None = None
    audio: bool = False

    def media_type(self) -> str:
        """The type that the file truly has."""
        return f"{'image' if self.duration_seconds is None else 'video'}/{self.format}"


def make(order: Order) -> bytes:
    """The file for an order."""
    return _picture(order) if order.duration_seconds is None else _film(order)


def frame_count(duration_seconds: float) -> int:
    """Frames in a film of that duration, at least one."""
    return max(1, round(duration_seconds * FRAMES_PER_SECOND))


def _scene(order: Order, longest_side: int) -> scenery.Scene:
    scale = min(1.0, longest_side / max(order.width, order.height))
    width, height = max(8, round(order.width * scale)), max(8, round(order.height * scale))
    return scenery.Scene(order.prompt, order.seed, width, height)


def _picture(order: Order) -> bytes:
    image = _scene(order, PAINTED_IMAGE_SIDE).frame(0.35)
    if image.size != (order.width, order.height):
        image = image.resize((order.width, order.height))
    file = io.BytesIO()
    image.save(file, order.format.upper(), quality=88, compress_level=1)
    return file.getvalue()


def _film(order: Order) -> bytes:
    # faststart rewrites the file at the end, which FFmpeg can do to a real file only.
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        path = pathlib.Path(folder, "film.mp4")
        options = {"movflags": "+faststart"}
        with av.open(str(path), "w", format="mp4", container_options=options) as film:
            _encode(film, order)
        return path.read_bytes()


def _encode(film: container.OutputContainer, order: Order) -> None:
    pictures = film.add_stream("libx264", rate=FRAMES_PER_SECOND)
    pictures.width, pictures.height, pictures.pix_fmt = order.width, order.height, "yuv420p"
    # One thread: two films at once already fill a small machine, and the polls need a share.
    pictures.codec_context.thread_count = 1
    pictures.codec_context.options = {"preset": "ultrafast", "crf": "26"}
    sound = film.add_stream("aac", rate=AUDIO_RATE, layout="mono") if order.audio else None
    for frame in _frames(order):
        film.mux(pictures.encode(frame))
    film.mux(pictures.encode(None))
    if sound is not None:
        for note in _notes(order):
            film.mux(sound.encode(note))
        film.mux(sound.encode(None))


def _frames(order: Order) -> collections.abc.Iterator[video.frame.VideoFrame]:
    scene = _scene(order, PAINTED_VIDEO_SIDE)
    count = frame_count(order.duration_seconds or 0)
    for number in range(count):
        picture = av.VideoFrame.from_image(  # type: ignore[no-untyped-call]
            scene.frame(number / count)
        )
        frame = picture.reformat(order.width, order.height, "yuv420p")
        frame.pts, frame.time_base = number, fractions.Fraction(1, FRAMES_PER_SECOND)
        yield frame


def _notes(order: Order) -> collections.abc.Iterator[audio.frame.AudioFrame]:
    """A quiet chord, higher or lower by prompt; whole hertz, so that one second repeats seamlessly."""
    pitch = scenery.dice(order.prompt, order.seed).choice((1, 2, 3))
    second = array.array("f", [_loudness(step / AUDIO_RATE * pitch) for step in range(AUDIO_RATE)])
    total = round((order.duration_seconds or 0) * AUDIO_RATE)
    for start in range(0, total, AUDIO_FRAME):
        length = min(AUDIO_FRAME, total - start)
        samples = array.array("f", (second[(start + at) % AUDIO_RATE] for at in range(length)))
        yield _audio_frame(samples, start)


def _audio_frame(samples: array.array[float], start: int) -> audio.frame.AudioFrame:
    frame = av.AudioFrame(format="fltp", layout="mono", samples=len(samples))
    plane = frame.planes[0]
    plane.update(samples.tobytes().ljust(plane.buffer_size, b"\0"))
    frame.sample_rate, frame.pts = AUDIO_RATE, start
    frame.time_base = fractions.Fraction(1, AUDIO_RATE)
    return frame


def _loudness(moment: float) -> float:
    return 0.05 * sum(math.sin(math.tau * hertz * moment) for hertz in CHORD_HERTZ)

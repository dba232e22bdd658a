"""Real films and pictures for the tests, made with the libraries that providers use too."""

import colorsys
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av import video
from PIL import Image

FRAMES_PER_SECOND = 24
AUDIO_RATE = 48_000
AUDIO_FRAME = 1024


@dataclass(frozen=True)
class Film:
    """What to film. Its colour goes round the wheel from the first frame to the last."""

    seconds: float = 2.0
    width: int = 320
    height: int = 180
    codec: str = "libx264"
    sound: bool = False
    frames_per_key_frame: int = 250
    options: Mapping[str, str] = field(default_factory=dict)


def hue(picture: Image.Image) -> float:
    """The colour in the middle: 0 for the film's beginning, 0.8 for its end."""
    centre = picture.convert("RGB").resize((1, 1), box=(picture.width // 2, picture.height // 2, *_after(picture)))
    red, green, blue = centre.tobytes()
    return colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)[0]


def _after(picture: Image.Image) -> tuple[int, int]:
    return picture.width // 2 + 1, picture.height // 2 + 1


def film(path: Path, wanted: Film = Film()) -> Path:
    """Write a film; its form is told by the path's suffix."""
    with av.open(str(path), "w", options=dict(wanted.options)) as file:
        picture = file.add_stream(wanted.codec, rate=FRAMES_PER_SECOND)
        assert isinstance(picture, video.VideoStream)
        picture.gop_size = wanted.frames_per_key_frame
        picture.options = {"x264-params": "scenecut=0:sliced-threads=0"} if wanted.codec == "libx264" else {}
        picture.width, picture.height, picture.pix_fmt = wanted.width, wanted.height, "yuv420p"
        sound = file.add_stream("aac", rate=AUDIO_RATE) if wanted.sound else None
        count = round(wanted.seconds * FRAMES_PER_SECOND)
        for number in range(count):
            colour = tuple(round(255 * part) for part in colorsys.hsv_to_rgb(0.8 * number / count, 1, 1))
            image = Image.new("RGB", (wanted.width, wanted.height), colour)
            file.mux(picture.encode(av.VideoFrame.from_image(image)))  # type: ignore[no-untyped-call]
        file.mux(picture.encode(None))
        if sound is not None:
            _hum(file, sound, wanted.seconds)
    return path


def _hum(file: av.container.OutputContainer, sound: av.AudioStream, seconds: float) -> None:
    for number in range(round(seconds * AUDIO_RATE / AUDIO_FRAME)):
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=AUDIO_FRAME)
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_RATE, number * AUDIO_FRAME, Fraction(1, AUDIO_RATE)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        file.mux(sound.encode(frame))
    file.mux(sound.encode(None))


def sound_only(path: Path) -> Path:
    """An MP4 without a picture."""
    with av.open(str(path), "w") as file:
        _hum(file, file.add_stream("aac", rate=AUDIO_RATE), 1.0)
    return path


def picture(form: str, size: tuple[int, int] = (320, 200)) -> bytes:
    """A picture with enough in it not to compress to nothing."""
    image = Image.effect_noise(size, 60).convert("RGB")
    target = io.BytesIO()
    image.save(target, form)
    return target.getvalue()


def animation(frames: int = 4) -> bytes:
    """A GIF that moves."""
    images = [Image.effect_noise((64, 64), 40 + 10 * number) for number in range(frames)]
    target = io.BytesIO()
    images[0].save(target, "GIF", save_all=True, append_images=images[1:], duration=100)
    return target.getvalue()


def frames(path: Path) -> list[tuple[int, int]]:
    """Where each picture lies in the file, and how many bytes it has."""
    with av.open(str(path)) as file:
        return [(part.pos, part.size) for part in file.demux(video=0) if part.size and part.pos is not None]


def cut(path: Path, share: float) -> Path:
    """Keep only the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path

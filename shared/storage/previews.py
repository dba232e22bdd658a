"""Small pictures of a video: one frame, or a row of five. JPEG bytes."""

import asyncio
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
from av import container, error
from av.video import frame
from PIL import Image

from shared.storage import films, forms, unusable

MEDIA_TYPE = "image/jpeg"
EXTENSION = "jpg"
THUMBNAIL_SIDE = 640
SHEET_SIDE = 320
THUMBNAIL_AT = (0.1,)
SHEET_AT = (0.1, 0.3, 0.5, 0.7, 0.9)
QUALITY = 85
NEAR_SECONDS = 2.0


async def thumbnail(path: Path) -> bytes:
    """The frame at 10 % of the video, at most 640 pixels a side. Raises UnusableOutputError."""
    return await asyncio.to_thread(_row, path, THUMBNAIL_AT, THUMBNAIL_SIDE)


async def spritesheet(path: Path) -> bytes:
    """Five frames side by side, from 10 % to 90 %, each at most 320 pixels a side. Raises UnusableOutputError."""
    return await asyncio.to_thread(_row, path, SHEET_AT, SHEET_SIDE)


def _row(path: Path, shares: Sequence[float], side: int) -> bytes:
    frames = _frames(path, shares, side)
    width, height = frames[0].size
    sheet = Image.new("RGB", (width * len(frames), height))
    for place, shown in enumerate(frames):
        sheet.paste(shown, (place * width, 0))
    target = io.BytesIO()
    sheet.save(target, "JPEG", quality=QUALITY)
    return target.getvalue()


def _frames(path: Path, shares: Sequence[float], side: int) -> list[Image.Image]:
    with path.open("rb") as file:
        form = forms.form_of(file.read(forms.HEAD_BYTES))
    if form is None:
        raise unusable.UnusableOutputError("The file is no video of a form we know.")
    try:
        with films.opened(path, form) as film:
            return [_picture(shown, side) for shown in _walk(film, shares)]
    except (error.FFmpegError, ValueError) as fault:
        raise unusable.UnusableOutputError(f"The video cannot be decoded: {type(fault).__name__}.") from fault


def _walk(film: container.InputContainer, shares: Sequence[float]) -> Iterator[frame.VideoFrame]:
    """For each share of the film, rising: the first frame at or after it, or the last one if there is none. What lies
    near is decoded on the way there; searching would begin again at the key frame before it.
    """
    moving = films.picture_stream(film)
    begin, whole = film.start_time or 0, film.duration or 0
    frames: Iterator[frame.VideoFrame] = iter(())
    chosen: frame.VideoFrame | None = None
    for wanted in (begin + int(whole * share) for share in shares):
        at = _moment(chosen)
        if at is None or wanted - at > NEAR_SECONDS * av.time_base:
            film.seek(wanted, backward=True)
            frames, at = film.decode(moving), None
        while at is None or at < wanted:
            following = next(frames, None)
            if following is None:
                break
            chosen, at = following, _moment(following)
            if at is None:
                break
        if chosen is None:
            raise unusable.UnusableOutputError("The video has no frame to show.")
        yield chosen


def _moment(shown: frame.VideoFrame | None) -> float | None:
    """When it is shown, in FFmpeg's units; None if nobody knows."""
    return None if shown is None or shown.time is None else shown.time * av.time_base


def _picture(shown: frame.VideoFrame, side: int) -> Image.Image:
    picture: Image.Image = shown.to_image()  # type: ignore[no-untyped-call]
    picture.thumbnail((side, side))
    return picture

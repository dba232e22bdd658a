"""Small pictures of a video: one frame, or a row of five. JPEG bytes."""

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path

import av
from av import container, error
from PIL import Image

from shared.storage import films, forms, unusable

MEDIA_TYPE = "image/jpeg"
EXTENSION = "jpg"
THUMBNAIL_SIDE = 640
SHEET_SIDE = 320
THUMBNAIL_AT = (0.1,)
SHEET_AT = (0.1, 0.3, 0.5, 0.7, 0.9)
QUALITY = 85


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
    for place, frame in enumerate(frames):
        sheet.paste(frame, (place * width, 0))
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
            return [_frame(film, share, side) for share in shares]
    except (error.FFmpegError, ValueError) as fault:
        raise unusable.UnusableOutputError(f"The video cannot be decoded: {type(fault).__name__}.") from fault


def _frame(film: container.InputContainer, share: float, side: int) -> Image.Image:
    """The first frame at or after that share of the film; the last one if there is none after it."""
    moving = films.picture_stream(film)
    begin = film.start_time or 0
    wanted = begin + int((film.duration or 0) * share)
    film.seek(wanted, backward=True)
    chosen = None
    for chosen in film.decode(moving):
        if chosen.time is None or chosen.time * av.time_base >= wanted:
            break
    if chosen is None:
        raise unusable.UnusableOutputError("The video has no frame to show.")
    picture: Image.Image = chosen.to_image()  # type: ignore[no-untyped-call]
    picture.thumbnail((side, side))
    return picture

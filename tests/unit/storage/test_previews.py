"""The small pictures of a video show the moments they should."""

import io
from pathlib import Path

import pytest
from PIL import Image

from shared.storage import previews, unusable
from tests.unit.storage import making


async def test_the_thumbnail_shows_the_film_at_a_tenth(tmp_path: Path) -> None:
    path = making.film(tmp_path / "film.mp4", making.Film(width=1280, height=720))
    image = Image.open(io.BytesIO(await previews.thumbnail(path)))
    assert (image.format, image.size) == ("JPEG", (640, 360))
    assert making.hue(image) == pytest.approx(0.08, abs=0.03)


@pytest.mark.parametrize(("name", "codec"), [("film.mp4", "libx264"), ("film.webm", "libvpx-vp9")])
async def test_the_sheet_shows_five_moments_in_order(tmp_path: Path, name: str, codec: str) -> None:
    path = making.film(tmp_path / name, making.Film(codec=codec))
    sheet = Image.open(io.BytesIO(await previews.spritesheet(path)))
    assert (sheet.format, sheet.size) == ("JPEG", (5 * 320, 180))
    hues = [making.hue(sheet.crop((320 * place, 0, 320 * (place + 1), 180))) for place in range(5)]
    assert hues == pytest.approx([0.08, 0.24, 0.40, 0.56, 0.72], abs=0.04)


async def test_a_film_of_one_frame_has_previews(tmp_path: Path) -> None:
    path = making.film(tmp_path / "film.mp4", making.Film(seconds=1 / making.FRAMES_PER_SECOND))
    assert Image.open(io.BytesIO(await previews.thumbnail(path))).size == (320, 180)
    assert Image.open(io.BytesIO(await previews.spritesheet(path))).size == (1600, 180)


async def test_what_is_no_film_has_no_previews(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"no film at all")
    with pytest.raises(unusable.UnusableOutputError):
        await previews.thumbnail(path)

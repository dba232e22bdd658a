"""Pixels in providers' words."""

import pytest

from shared.domain import requests, shapes, sizes


@pytest.mark.parametrize(
    ("size", "ratio", "resolution"),
    [
        ("1280x720", "16:9", "720p"),
        ("720x1280", "9:16", "720p"),
        ("854x480", "16:9", "480p"),
        ("1024x1024", "1:1", "1K"),
        ("3840x2160", "16:9", "4K"),
        ("1344x768", "16:9", "768p"),
        ("1536x640", "21:9", "640p"),
    ],
)
def test_the_nearest_shape_is_taken(size: str, ratio: str, resolution: str) -> None:
    request = requests.VideoRequest(model="m", prompt="p")
    assert shapes.aspect_ratio(request, sizes.parse(size)) == ratio
    assert shapes.resolution(request, sizes.parse(size)) == resolution


def test_what_was_asked_for_goes_as_it_was_asked() -> None:
    request = requests.VideoRequest(model="m", prompt="p", aspect_ratio="5:2", resolution="1080p")
    assert shapes.aspect_ratio(request, sizes.parse("1280x720")) == "5:2"
    assert shapes.resolution(request, sizes.parse("1280x720")) == "1080p"


def test_only_offered_shapes_are_taken() -> None:
    request = requests.ImageRequest(model="m", prompt="p")
    assert shapes.aspect_ratio(request, sizes.parse("1600x640"), ("16:9", "1:1")) == "16:9"

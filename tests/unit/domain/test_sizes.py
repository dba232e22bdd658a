"""From a size, or a resolution and a shape, to pixels; contradictions are refused with the field's name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import errors
from shared.domain import models, requests, requirements, sizes, states

PRICE = models.Price(unit=models.Unit.SECOND, usd="0.1")
ENDPOINT = models.Endpoint(
    provider="p", upstream_model="m", prices=(PRICE,), limits=models.Limits(concurrency=1, requests_per_minute=1)
)


def model(**choices: object) -> models.Model:
    return models.Model(
        **{"id": "a/video", "kind": states.Kind.VIDEO, "name": "A", "endpoints": (ENDPOINT,), **choices}
    )


def video(**fields: object) -> requests.VideoRequest:
    return requests.VideoRequest.model_validate({"model": "a/video", "prompt": "a cat"} | fields)


@pytest.mark.parametrize(
    ("fields", "pixels"),
    [
        ({}, None),
        ({"size": "640x360"}, "640x360"),
        ({"resolution": "1080p"}, "1920x1080"),
        ({"aspect_ratio": "9:16"}, "720x1280"),
        ({"resolution": "480p", "aspect_ratio": "16:9"}, "854x480"),
        ({"resolution": "480p", "aspect_ratio": "9:16"}, "480x854"),
        ({"resolution": "720p", "aspect_ratio": "1:1"}, "720x720"),
        ({"resolution": "4K"}, "3840x2160"),
        ({"size": "854x480", "resolution": "480p", "aspect_ratio": "16:9"}, "854x480"),
        ({"size": "720x1280", "resolution": "720p", "aspect_ratio": "9:16"}, "720x1280"),
    ],
)
def test_what_was_asked_in_pixels(fields: dict[str, str], pixels: str | None) -> None:
    found = sizes.asked(video(**fields))
    assert (found and str(found)) == pixels


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"size": "1280x720", "resolution": "1080p"}, "resolution"),
        ({"size": "1280x720", "aspect_ratio": "9:16"}, "aspect_ratio"),
        ({"size": "1280x720", "resolution": "720p", "aspect_ratio": "1:1"}, "aspect_ratio"),
        ({"resolution": "big"}, "resolution"),
        ({"aspect_ratio": "wide"}, "aspect_ratio"),
    ],
)
def test_contradictions_name_the_field(fields: dict[str, str], param: str) -> None:
    with pytest.raises(errors.UnsupportedValueError) as caught:
        sizes.asked(video(**fields))
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("choices", "fields", "pixels"),
    [
        ({}, {}, "1280x720"),
        ({"sizes": ("512x512", "640x360")}, {}, "512x512"),
        ({"resolutions": ("1080p", "720p"), "aspect_ratios": ("9:16",)}, {}, "1080x1920"),
        ({"resolutions": ("1080p",), "aspect_ratios": ("9:16",)}, {"aspect_ratio": "16:9"}, "1920x1080"),
        ({"resolutions": ("1080p",), "aspect_ratios": ("9:16",)}, {"resolution": "480p"}, "480x854"),
        ({"sizes": ("512x512",)}, {"size": "640x360"}, "640x360"),
    ],
)
def test_the_models_first_choice_fills_what_is_left_open(
    choices: dict[str, object], fields: dict[str, str], pixels: str
) -> None:
    assert str(sizes.of_video(model(**choices), video(**fields))) == pixels


def test_a_contradiction_is_refused_when_the_request_is_checked() -> None:
    offers = model(sizes=("1280x720",), resolutions=("720p", "1080p"))
    requirements.check(offers, states.Kind.VIDEO, video(size="1280x720", resolution="720p"), "model")
    with pytest.raises(errors.UnsupportedValueError, match=r"size 1280x720 is not 1080p"):
        requirements.check(offers, states.Kind.VIDEO, video(size="1280x720", resolution="1080p"), "model")


def test_an_image_has_its_size_or_the_models_first() -> None:
    picture = model(kind=states.Kind.IMAGE, sizes=("256x256", "512x512"))
    plain = model(kind=states.Kind.IMAGE)
    assert str(sizes.of_image(picture, requests.ImageRequest(model="a", prompt="b"))) == "256x256"
    assert str(sizes.of_image(plain, requests.ImageRequest(model="a", prompt="b"))) == "1024x1024"
    assert str(sizes.of_image(picture, requests.ImageRequest(model="a", prompt="b", size="512x512"))) == "512x512"


def test_a_text_has_no_size() -> None:
    assert sizes.asked(requests.TextRequest(model="a", prompt="b")) is None


@given(lines=st.integers(144, 2160).map(lambda half: half // 2 * 2), wide=st.integers(1, 21), high=st.integers(1, 21))
def test_both_sides_are_even_and_agree_with_what_was_asked(lines: int, wide: int, high: int) -> None:
    fields = {"resolution": f"{lines}p", "aspect_ratio": f"{wide}:{high}"}
    pixels = sizes.asked(video(**fields))
    assert pixels is not None
    assert (pixels.width % 2, pixels.height % 2, pixels.short_side) == (0, 0, lines)
    assert sizes.asked(video(size=str(pixels), **fields)) == pixels

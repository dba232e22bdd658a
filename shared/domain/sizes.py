"""From what a caller asked (a size, or a resolution and a shape) to width and height in pixels. Pure."""

import re
from dataclasses import dataclass

from shared import errors
from shared.domain import models, requests, states

DEFAULT_SIZES = {states.Kind.VIDEO: "1280x720", states.Kind.IMAGE: "1024x1024"}
DEFAULT_RESOLUTION = "720p"
DEFAULT_RATIO = "16:9"
# Resolutions that are no number of lines.
_NAMED_SIDES = {"512": 512, "1K": 1024, "2K": 2048, "4K": 2160, "8K": 4320}
# Two shapes are the same if they differ by less: codecs want even sides, and 854x480 is called 16:9.
_SHAPE_SLACK = 0.01


@dataclass(frozen=True, slots=True)
class Pixels:
    """Width and height of a picture."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def short_side(self) -> int:
        """The side a resolution such as 720p speaks of."""
        return min(self.width, self.height)


def parse(size: str) -> Pixels:
    """`1280x720` as pixels. Raises UnsupportedValueError for anything else."""
    found = re.fullmatch(r"([1-9]\d{1,4})x([1-9]\d{1,4})", size)
    if found is None:
        raise errors.UnsupportedValueError(f"{size!r} is no size; write it as 1280x720.", param="size")
    return Pixels(int(found[1]), int(found[2]))


def short_side(resolution: str) -> int:
    """`720p` or `4K` as the pixels of the short side. Raises UnsupportedValueError."""
    found = re.fullmatch(r"([1-9]\d{2,3})p", resolution)
    side = int(found[1]) if found else _NAMED_SIDES.get(resolution.upper())
    if side is None:
        raise errors.UnsupportedValueError(f"{resolution!r} is no resolution; write it as 720p.", param="resolution")
    return side


def ratio(aspect_ratio: str) -> tuple[int, int]:
    """`16:9` as two numbers, wide and high. Raises UnsupportedValueError."""
    found = re.fullmatch(r"([1-9]\d?):([1-9]\d?)", aspect_ratio)
    if found is None:
        raise errors.UnsupportedValueError(f"{aspect_ratio!r} is no shape; write it as 16:9.", param="aspect_ratio")
    return int(found[1]), int(found[2])


def asked(request: requests.AnyRequest) -> Pixels | None:
    """The pixels asked for; half an answer is filled up with 720p or 16:9. None if everything is open.
    Raises UnsupportedValueError if `size` contradicts `resolution` or `aspect_ratio`.
    """
    if isinstance(request, requests.TextRequest | requests.EmbeddingRequest):
        return None
    if isinstance(request, requests.ImageRequest):
        return None if request.size is None else parse(request.size)
    if request.size is not None:
        return _agreeing(parse(request.size), request)
    if request.resolution is None and request.aspect_ratio is None:
        return None
    return _shaped(request.resolution or DEFAULT_RESOLUTION, request.aspect_ratio or DEFAULT_RATIO)


def of_video(model: models.Model, request: requests.VideoRequest) -> Pixels:
    """As `asked`; the model's first size, or first resolution and shape, fill what the caller left open."""
    if request.size is None:
        request = _filled(model, request)
    return asked(request) or _default(model)


def of_image(model: models.Model, request: requests.ImageRequest) -> Pixels:
    """The size asked for, or the model's first one."""
    return asked(request) or _default(model)


def _filled(model: models.Model, request: requests.VideoRequest) -> requests.VideoRequest:
    """A request that names a resolution or a shape, made to name both."""
    if request.resolution is None and request.aspect_ratio is None:
        return request
    resolution = request.resolution or next(iter(model.resolutions), DEFAULT_RESOLUTION)
    aspect_ratio = request.aspect_ratio or next(iter(model.aspect_ratios), DEFAULT_RATIO)
    return request.model_copy(update={"resolution": resolution, "aspect_ratio": aspect_ratio})


def _default(model: models.Model) -> Pixels:
    if model.sizes:
        return parse(model.sizes[0])
    if model.resolutions:
        return _shaped(model.resolutions[0], next(iter(model.aspect_ratios), DEFAULT_RATIO))
    return parse(DEFAULT_SIZES[model.kind])


def _agreeing(pixels: Pixels, request: requests.VideoRequest) -> Pixels:
    if request.resolution is not None and pixels.short_side != short_side(request.resolution):
        raise errors.UnsupportedValueError(
            f"size {pixels} is not {request.resolution}; send one of the two.", param="resolution"
        )
    if request.aspect_ratio is not None and not _has_shape(pixels, request.aspect_ratio):
        raise errors.UnsupportedValueError(
            f"size {pixels} is not {request.aspect_ratio}; send one of the two.", param="aspect_ratio"
        )
    return pixels


def _shaped(resolution: str, aspect_ratio: str) -> Pixels:
    """The resolution is the short side; the long one follows from the shape, made even as codecs want it."""
    side, (wide, high) = short_side(resolution), ratio(aspect_ratio)
    if wide >= high:
        return Pixels(_even(side * wide / high), side)
    return Pixels(side, _even(side * high / wide))


def _has_shape(pixels: Pixels, aspect_ratio: str) -> bool:
    wide, high = ratio(aspect_ratio)
    wanted = wide / high
    return abs(pixels.width / pixels.height - wanted) <= _SHAPE_SLACK * wanted


def _even(length: float) -> int:
    return 2 * round(length / 2)

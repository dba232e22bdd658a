"""Pixels in the words providers use: `16:9`, `720p`."""

from collections.abc import Iterable

from shared.domain import requests, sizes

RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9", "9:21", "5:4", "4:5")
_NAMED_SIDES = {512: "512", 1024: "1K", 2048: "2K", 2160: "4K", 4320: "8K"}


def aspect_ratio(request: requests.AnyRequest, pixels: sizes.Pixels, offered: Iterable[str] = RATIOS) -> str:
    """The shape asked for, or the offered one that is nearest to the pixels."""
    asked = getattr(request, "aspect_ratio", None)
    if asked is not None:
        return str(asked)
    wanted = pixels.width / pixels.height

    def distance(shape: str) -> float:
        wide, high = sizes.ratio(shape)
        return abs(wide / high - wanted) / wanted

    return min(offered, key=distance)


def resolution(request: requests.AnyRequest, pixels: sizes.Pixels) -> str:
    """The resolution asked for, or the name of the short side."""
    asked = getattr(request, "resolution", None)
    return str(asked) if asked is not None else _NAMED_SIDES.get(pixels.short_side, f"{pixels.short_side}p")

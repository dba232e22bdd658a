"""From OpenRouter's `size`, `resolution` and `aspect_ratio` of a picture to one of the model's sizes in pixels."""

from collections.abc import Mapping
from typing import Any

from shared import errors
from shared.domain import models, sizes

_SLACK = 0.02


def chosen(model: models.Model | None, fields: Mapping[str, Any]) -> str | None:
    """The size to ask for; None leaves it to the model. Raises UnsupportedValueError naming the model's sizes."""
    size, tier = fields.get("size"), fields.get("resolution")
    if isinstance(size, str) and "x" in size:
        return size
    tier = tier or size
    ratio = None if fields.get("aspect_ratio") == "auto" else fields.get("aspect_ratio")
    if model is None or (tier is None and ratio is None):
        return None
    for offered in model.sizes:
        if _has_shape(offered, ratio) and _has_tier(offered, tier):
            return offered
    param = "aspect_ratio" if ratio is not None else "resolution"
    raise errors.UnsupportedValueError(
        f"{model.id} has no size of this shape and resolution; send one of its sizes.",
        param=param,
        accepted=model.sizes,
    )


def _has_shape(size: str, ratio: object) -> bool:
    if ratio is None:
        return True
    wide, high = sizes.ratio(str(ratio))
    pixels = sizes.parse(size)
    return abs(pixels.width / pixels.height - wide / high) <= _SLACK * wide / high


def _has_tier(size: str, tier: object) -> bool:
    return tier is None or sizes.parse(size).short_side == sizes.short_side(str(tier))

"""Request values filled into an endpoint's options: `{"duration": "{seconds}s"}` becomes `{"duration": "5s"}`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

# What may stand in braces, and the optional request field it passes on, if it is one.
PLACES: Mapping[str, str | None] = {
    "prompt": None,
    "seconds": None,
    "width": None,
    "height": None,
    "size": None,
    "aspect_ratio": None,
    "resolution": None,
    "format": None,
    "reference": None,
    "n": "n",
    "seed": "seed",
    "generate_audio": "generate_audio",
    "first_frame": "frame_images",
    "last_frame": "frame_images",
    "input_reference": "input_references",
    "input_references": "input_references",
    "max_tokens": "max_tokens",
    "temperature": "temperature",
}
_PLACE = re.compile(r"\{(\w+)\}")


def places(template: object) -> Iterator[str]:
    """Every name in braces in a template, known or not."""
    if isinstance(template, str):
        yield from _PLACE.findall(template)
    for inner in template.values() if isinstance(template, Mapping) else template if isinstance(template, list) else ():
        yield from places(inner)


def fill(template: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The template with its places filled. A text that is one place takes the value as it is, a number as a number;
    a key whose value was not given falls away. Values are never looked into for places of their own.
    """
    filled: dict[str, Any] = _filled(template, values)
    return filled


def _filled(template: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(template, Mapping):
        filled = {key: _filled(inner, values) for key, inner in template.items()}
        return {key: inner for key, inner in filled.items() if inner is not None or template[key] is None}
    if isinstance(template, list):
        return [_filled(inner, values) for inner in template]
    return _text(template, values) if isinstance(template, str) else template


def _text(template: str, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    whole = _PLACE.fullmatch(template)
    if whole is not None:
        return values.get(whole[1], template) if whole[1] in PLACES else template
    asked = [name for name in _PLACE.findall(template) if name in PLACES]
    if any(values.get(name) is None for name in asked):
        return None
    return _PLACE.sub(lambda found: str(values[found[1]]) if found[1] in PLACES else found[0], template)

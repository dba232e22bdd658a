"""Places in options are filled with a request's values, and values are never looked into."""

from typing import Any

import pytest

from shared.domain import templates

VALUES = {"prompt": "a {seed} {pot}", "seconds": 5, "seed": None, "n": 2, "first_frame": None, "width": 640}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ({"duration": "{seconds}"}, {"duration": 5}),
        ({"duration": "{seconds}s"}, {"duration": "5s"}),
        ({"text": "photo of {prompt}"}, {"text": "photo of a {seed} {pot}"}),
        ({"seed": "{seed}", "a": 1}, {"a": 1}),
        ({"seed": "s-{seed}", "a": 1}, {"a": 1}),
        ({"resolution": None}, {"resolution": None}),
        ({"deep": [{"n": "{n}", "image": "{first_frame}"}]}, {"deep": [{"n": 2}]}),
        ({"kept": "{unknown} {0} {}"}, {"kept": "{unknown} {0} {}"}),
        ({"kept": True, "number": 1.5}, {"kept": True, "number": 1.5}),
    ],
)
def test_places_are_filled(template: dict[str, Any], filled: dict[str, Any]) -> None:
    assert templates.fill(template, VALUES) == filled


def test_places_are_found_wherever_they_stand() -> None:
    template = {"a": "{prompt} {n}", "b": [{"c": "{whatever}"}], "{seed}": 1}
    assert list(templates.places(template)) == ["prompt", "n", "whatever"]

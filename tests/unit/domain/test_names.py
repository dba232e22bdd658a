"""Near matches of a name that does not exist."""

import pytest

from shared.domain import names

KNOWN = ("sandbox/video", "sandbox/video-slow", "sandbox/image", "openai/gpt-5", "google/Veo-3.1")


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("sandbox/vidoe", "sandbox/video"),
        ("SANDBOX/IMAGE", "sandbox/image"),
        ("sandbox/video-slwo", "sandbox/video-slow"),
        ("google/veo-3", "google/Veo-3.1"),
    ],
)
def test_the_likest_comes_first(typed: str, first: str) -> None:
    assert names.near(typed, KNOWN)[0] == first


def test_what_is_like_nothing_has_no_match() -> None:
    assert names.near("zzzzzz", KNOWN) == []
    assert names.near("sandbox/video", ()) == []


def test_there_are_at_most_five() -> None:
    assert len(names.near("model-1", [f"model-{number}" for number in range(50)])) == names.MOST

"""The name of a download in a header that no name can break out of."""

from urllib import parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import dispositions


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("cat.mp4", "attachment; filename=\"cat.mp4\"; filename*=UTF-8''cat.mp4"),
        ("my cat.mp4", "attachment; filename=\"my cat.mp4\"; filename*=UTF-8''my%20cat.mp4"),
        ("café.png", "attachment; filename=\"caf_.png\"; filename*=UTF-8''caf%C3%A9.png"),
        ('a"b;c\r\nX: y.png', "attachment; filename=\"a_b_c__X: y.png\"; filename*=UTF-8''a%22b%3Bc%0D%0AX%3A%20y.png"),
        ("../../etc/passwd", "attachment; filename=\".._.._etc_passwd\"; filename*=UTF-8''.._.._etc_passwd"),
        ("  ", "attachment; filename=\"download\"; filename*=UTF-8''download"),
    ],
)
def test_both_forms_of_the_name(name: str, header: str) -> None:
    assert dispositions.content_disposition(name, inline=False) == header


def test_inline_is_shown_and_not_saved() -> None:
    assert dispositions.content_disposition("a.mp4", inline=True).startswith("inline; ")


@given(name=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=100))
def test_no_name_breaks_the_header(name: str) -> None:
    header = dispositions.content_disposition(name, inline=False)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    shown = name.replace("/", "_").replace("\\", "_").strip() or "download"
    assert parse.unquote(header.split("filename*=UTF-8''")[1]) == shown

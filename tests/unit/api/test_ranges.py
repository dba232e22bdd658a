"""The Range header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import ranges


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("bytes=-", None),
        ("bytes=4-2", None),
        ("items=0-1", None),
        ("bytes=0-1, 4-5", None),
        ("bytes=" + "9" * 30 + "-", None),
        ("bytes=0-0", ranges.Slice(0, 0)),
        ("BYTES=3-", ranges.Slice(3, 9)),
        ("bytes=-4", ranges.Slice(6, 9)),
    ],
)
def test_it_is_read_as_the_rfc_says(header: str | None, expected: ranges.Slice | None) -> None:
    assert ranges.parse(header, 10) == expected


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 40))
def test_a_slice_lies_within_the_output(first: int, last: int, size_bytes: int) -> None:
    try:
        wanted = ranges.parse(f"bytes={first}-{last}", size_bytes)
    except ranges.RangeNotSatisfiableError:
        assert first >= size_bytes
        return
    body = bytes(range(size_bytes))
    if wanted is None:
        assert last < first
    else:
        assert body[wanted.first : wanted.last + 1] == body[first : last + 1]
        assert wanted.length == len(body[first : last + 1])


def test_of_nothing_there_is_no_range() -> None:
    with pytest.raises(ranges.RangeNotSatisfiableError):
        ranges.parse("bytes=-1", 0)

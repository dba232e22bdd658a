"""Keys: their form, the checksum that tells a typo from a key, and when one opens something."""

import hypothesis
import pytest
from hypothesis import strategies as st

from shared.domain import keys

SECRET = keys.generate(keys.Mode.LIVE)


@pytest.mark.parametrize("mode", keys.Mode)
def test_a_key_looks_as_scanners_expect_and_tells_its_mode(mode: keys.Mode) -> None:
    made = [keys.generate(mode) for _ in range(50)]
    assert len(set(made)) == 50
    for secret in made:
        assert keys.FORM.fullmatch(secret)
        assert keys.mode_of(secret) is mode
        assert secret.startswith(f"gq_{mode}_")
        assert keys.hint(secret) == secret[:12]


@hypothesis.given(place=st.integers(0, len(SECRET) - 1), letter=st.characters(codec="ascii"))
def test_no_single_typo_passes(place: int, letter: str) -> None:
    typo = SECRET[:place] + letter + SECRET[place + 1 :]
    assert (keys.mode_of(typo) is None) == (typo != SECRET)


@hypothesis.given(st.text())
def test_nothing_else_passes(text: str) -> None:
    assert keys.mode_of(text) is None


def test_cut_or_longer_is_no_key() -> None:
    assert all(keys.mode_of(SECRET[:length]) is None for length in range(len(SECRET)))
    assert keys.mode_of(SECRET + "0") is None
    assert keys.mode_of(SECRET.replace("live", "test")) is None

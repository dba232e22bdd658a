"""Names that were probably meant: for the error about one that does not exist."""

import difflib
from collections.abc import Iterable

MOST = 5
LEAST_LIKENESS = 0.5


def near(name: str, known: Iterable[str]) -> list[str]:
    """At most five known names like `name`, the likest first; letter case does not count."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower(), by_lower, MOST, LEAST_LIKENESS)
    return [by_lower[match] for match in found]

"""The Range header (RFC 9110, 14): one range of bytes."""

import re
from dataclasses import dataclass
from typing import ClassVar

from shared import errors

_FORM = re.compile(r"bytes=\s*(\d*)-(\d*)\s*", re.IGNORECASE)
# Longer numbers are no offsets, and Python refuses to read very long ones.
_LONGEST_NUMBER = 18


class RangeNotSatisfiableError(errors.InvalidRequestError):
    """The range lies outside the output."""

    status: ClassVar[int] = 416


@dataclass(frozen=True, slots=True)
class Slice:
    """Bytes `first` to `last`, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.last - self.first + 1


def parse(header: str | None, size_bytes: int) -> Slice | None:
    """The bytes asked for; None means all of them, also for several ranges and for what we cannot read, as the RFC
    allows. Raises RangeNotSatisfiableError.
    """
    found = _FORM.fullmatch(header or "")
    if found is None or found[1] == found[2] == "" or max(len(found[1]), len(found[2])) > _LONGEST_NUMBER:
        return None
    if found[1] == "":
        wanted = Slice(max(size_bytes - int(found[2]), 0), size_bytes - 1)
    else:
        if found[2] and int(found[2]) < int(found[1]):
            return None
        wanted = Slice(int(found[1]), min(int(found[2] or size_bytes), size_bytes - 1))
    if wanted.first >= size_bytes or wanted.length < 1:
        raise RangeNotSatisfiableError(param="Range", accepted=[f"bytes=0-{size_bytes - 1}"])
    return wanted

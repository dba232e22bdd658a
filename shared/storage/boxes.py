"""The outermost boxes of an MP4 or MOV file: a cheap and exact way to see that its end is missing."""

import struct
from pathlib import Path
from typing import BinaryIO

_SHORT, _LONG = struct.Struct(">I4s"), struct.Struct(">Q")
_LENGTH_FOLLOWS, _TO_THE_END = 1, 0
# A fragmented hour has some thousands; a hostile file may have a box every eight bytes.
MOST_BOXES = 100_000


def missing_bytes(path: Path) -> int:
    """How many bytes the last box promises beyond the end of the file; 0 for a whole one."""
    end = path.stat().st_size
    at = 0
    with path.open("rb") as file:
        for _ in range(MOST_BOXES):
            if at + _SHORT.size > end:
                break
            length = _length_at(file, at)
            if length == _TO_THE_END:
                return 0
            # A length too short for its own head is noise after the film: FFmpeg may judge that.
            at += max(length, _SHORT.size)
    return max(at - end, 0)


def _length_at(file: BinaryIO, at: int) -> int:
    file.seek(at)
    length: int = _SHORT.unpack(file.read(_SHORT.size))[0]
    if length != _LENGTH_FOLLOWS:
        return length
    following = file.read(_LONG.size)
    return int(_LONG.unpack(following)[0]) if len(following) == _LONG.size else _SHORT.size + _LONG.size

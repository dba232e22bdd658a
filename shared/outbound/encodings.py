"""Bodies that come compressed: unpacked piece by piece, and known to be whole at the end.

aiohttp unpacks them as well, but takes gzip that was cut short for a whole body.
"""

import zlib
from collections.abc import Iterator

PIECE_BYTES = 256 * 1024
_GZIP = 16 + zlib.MAX_WBITS
# Pieces in a row of which nothing comes: members without content could go on for ever, and be counted by nobody.
MOST_EMPTY = 1000
_NONE = frozenset({"", "identity", "aws-chunked"})  # the last is what some S3 servers keep of an upload


class EncodingError(Exception):
    """The body is not what its header says, is cut short, or is compressed in a way nobody asked for."""


class Body:
    """One body, as its Content-Encoding says. Raises EncodingError."""

    def __init__(self, encoding: str) -> None:
        named = [name for name in (part.strip().lower() for part in encoding.split(",")) if name not in _NONE]
        if named not in ([], ["gzip"], ["x-gzip"]):
            raise EncodingError(f"content-encoding {encoding}")
        self._is_gzip = bool(named)
        self._member: zlib._Decompress | None = None
        self._empty = 0

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """What these next bytes mean; of compressed ones in pieces of PIECE_BYTES at most. Raises EncodingError."""
        if not self._is_gzip:
            yield data
            return
        # One gzip stream may follow another, and zeros the last.
        while data := data if self._member else data.lstrip(b"\0"):
            member = self._member = self._member or zlib.decompressobj(_GZIP)
            try:
                piece = member.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise EncodingError("no gzip") from error
            self._empty = 0 if piece else self._empty + 1
            if self._empty > MOST_EMPTY:
                raise EncodingError("gzip of nothing")
            if piece:
                yield piece
            data = member.unused_data if member.eof else member.unconsumed_tail
            self._member = None if member.eof else member

    def end(self) -> None:
        """There is no more. Raises EncodingError if there should be."""
        if self._member is not None:
            raise EncodingError("gzip cut short")

"""Bodies that come compressed: unpacked piece by piece, and known to be whole at the end.

aiohttp unpacks them as well, but takes gzip that was cut short for a whole body.
"""

import zlib
from collections.abc import Iterator

PIECE_BYTES = 256 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_NONE = frozenset({"", "identity", "aws-chunked"})  # the last is what some S3 servers keep of an upload


class EncodingError(Exception):
    """The body is not what its header says, is cut short, or is compressed in a way nobody asked for."""


class Body:
    """One body, as its Content-Encoding says. Raises EncodingError."""

    def __init__(self, encoding: str) -> None:
        named = [name for name in (part.strip().lower() for part in encoding.split(",")) if name not in _NONE]
        if named not in ([], ["gzip"]):
            raise EncodingError(f"content-encoding {encoding}")
        self._is_gzip = bool(named)
        self._member: zlib._Decompress | None = None

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """What these next bytes mean; of compressed ones in pieces of PIECE_BYTES at most. Raises EncodingError."""
        if not self._is_gzip:
            yield data
            return
        while data:
            # One gzip stream may follow another.
            member = self._member = self._member or zlib.decompressobj(_GZIP)
            try:
                piece = member.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise EncodingError("no gzip") from error
            if piece:
                yield piece
            data = member.unused_data if member.eof else member.unconsumed_tail
            self._member = None if member.eof else member

    def end(self) -> None:
        """There is no more. Raises EncodingError if there should be."""
        if self._member is not None:
            raise EncodingError("gzip cut short")

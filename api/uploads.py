"""Reading a multipart form as it arrives: small fields into memory, the one file as a stream, never held whole."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import fastapi
from python_multipart import exceptions, multipart

from shared import errors

FIELD_BYTES = 256 * 1024
FIELDS = 50


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    filename: str | None


_Event = _Part | bytes | None


class Form:
    """One multipart request. First `until_file`, then all of `chunks`, then `rest`; `fields` is whole only then.
    Raises InvalidRequestError for what is no form, or one that ends too early.
    """

    def __init__(self, request: fastapi.Request, file_field: str) -> None:
        self.fields: dict[str, str] = {}
        self.filename = ""
        self._file_field = file_field
        self._events = self._read(request)

    async def until_file(self) -> None:
        """Read the fields that come before the file. Raises MissingFieldError when there is no file."""
        if not await self._fields_until_file():
            raise errors.MissingFieldError(f"{self._file_field} is missing.", param=self._file_field)

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes of the file."""
        async for event in self._events:
            if event is None:
                return
            if isinstance(event, bytes):
                yield event

    async def rest(self) -> dict[str, str]:
        """Read what comes after the file; all fields of the form."""
        if await self._fields_until_file():
            raise errors.InvalidRequestError("Send one file only.", param=self._file_field)
        return self.fields

    async def _fields_until_file(self) -> bool:
        async for event in self._events:
            if isinstance(event, _Part):
                if event.name == self._file_field:
                    self.filename = event.filename or ""
                    return True
                await self._field(event.name)
        return False

    async def _field(self, name: str) -> None:
        value = bytearray()
        async for event in self._events:
            if not isinstance(event, bytes):
                break
            value += event
            if len(value) > FIELD_BYTES:
                raise errors.TooLargeError(f"A field may have {FIELD_BYTES} bytes.", param=name[:200])
        if name in self.fields or len(self.fields) >= FIELDS:
            raise errors.InvalidRequestError("Send each field once.", param=name[:200])
        try:
            self.fields[name] = value.decode()
        except UnicodeDecodeError:
            raise errors.InvalidRequestError("The field is not UTF-8.", param=name[:200]) from None

    async def _read(self, request: fastapi.Request) -> AsyncIterator[_Event]:
        """Parts, their bytes, and None at the end of each."""
        reader = _Reader(_boundary(request))
        async for chunk in request.stream():
            for event in reader.feed(chunk):
                yield event
        if not reader.complete:
            raise errors.InvalidRequestError("The upload ended before the form did; send it again.")


class _Reader:
    """python-multipart's callbacks, collected as events."""

    def __init__(self, boundary: bytes) -> None:
        self.complete = False
        self._events: list[_Event] = []
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._headers: dict[bytes, bytes] = {}
        self._parser = multipart.MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                "on_header_end": self._header_ended,
                "on_headers_finished": self._part_begun,
                "on_part_data": lambda data, start, end: self._events.append(data[start:end]),
                "on_part_end": lambda: self._events.append(None),
                "on_end": self._ended,
            },
        )

    def feed(self, data: bytes) -> list[_Event]:
        try:
            self._parser.write(data)
        except exceptions.FormParserError:
            raise errors.InvalidRequestError("The body is not a valid multipart form.") from None
        events, self._events[:] = list(self._events), []
        return events

    def _header_ended(self) -> None:
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value)
        self._header = (bytearray(), bytearray())

    def _part_begun(self) -> None:
        _, options = multipart.parse_options_header(self._headers.get(b"content-disposition", b""))
        name, filename = options.get(b"name", b""), options.get(b"filename")
        shown = filename.decode("utf-8", "replace") if filename is not None else None
        self._events.append(_Part(name.decode("utf-8", "replace"), shown))

    def _ended(self) -> None:
        self.complete = True


def _boundary(request: fastapi.Request) -> bytes:
    _, options = multipart.parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if not boundary:
        raise errors.InvalidRequestError("The Content-Type names no boundary.", param="Content-Type")
    return boundary

"""An answer that goes on until its source ends or its reader goes."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Generic, TypeVar

import fastapi
from starlette import types

T = TypeVar("T")


class Stream(fastapi.Response, Generic[T]):
    """Sends what comes, as `written` has it. There may be thousands: Starlette's own runs two tasks in a group for
    each, over one more generator.
    """

    def __init__(
        self,
        first: bytes,
        items: AsyncGenerator[T, None],
        written: Callable[[T], bytes],
        headers: Mapping[str, str],
        media_type: str,
    ) -> None:
        super().__init__(None, 200, headers, media_type)
        self.raw_headers = [header for header in self.raw_headers if header[0] != b"content-length"]
        self._first = first
        self._items = items
        self._written = written
        self._gone = False

    async def __call__(self, _scope: types.Scope, receive: types.Receive, send: types.Send) -> None:
        """Serve one request. Raises what the source raises: the line is cut then."""
        sending = asyncio.current_task()
        watching = asyncio.create_task(self._watch(receive, sending))
        try:
            await self._send(send)
        except asyncio.CancelledError:
            if not self._gone or sending is None:
                raise
            sending.uncancel()
        finally:
            watching.cancel()
            await self._items.aclose()

    async def _send(self, send: types.Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        self.raw_headers = []  # it may be open for hours
        await send({"type": "http.response.body", "body": self._first, "more_body": True})
        async for item in self._items:
            await send({"type": "http.response.body", "body": self._written(item), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(self, receive: types.Receive, sending: asyncio.Task[None] | None) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        if sending is not None:
            sending.cancel()

"""Streams: everything is sent, a reader that goes ends the source, and what the source raises cuts the line."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette import types

from api import streams

SCOPE: types.Scope = {"type": "http"}
DEADLINE_SECONDS = 20


class Line:
    """A reader of an answer."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.sent: list[types.Message] = []
        self._asked = False

    async def receive(self) -> types.Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: types.Message) -> None:
        self.sent.append(message)


def streamed(items: AsyncGenerator[int, None]) -> streams.Stream[int]:
    return streams.Stream(b"first ", items, lambda item: b"%d " % item, {"X-Own": "1"}, "text/event-stream")


async def test_everything_is_sent_and_the_end_told() -> None:
    async def three() -> AsyncGenerator[int, None]:
        for number in range(3):
            yield number

    line = Line()
    await streamed(three())(SCOPE, line.receive, line.send)
    assert line.sent[0]["status"] == 200
    assert set(line.sent[0]["headers"]) == {(b"x-own", b"1"), (b"content-type", b"text/event-stream; charset=utf-8")}
    assert b"".join(message["body"] for message in line.sent[1:]) == b"first 0 1 2 "
    assert [message["more_body"] for message in line.sent[1:]] == [True] * 4 + [False]


async def test_the_source_ends_when_the_reader_goes() -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncGenerator[int, None]:
        try:
            yield 1
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    line = Line()
    answering = asyncio.create_task(streamed(endless())(SCOPE, line.receive, line.send))
    line.gone.set()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await answering
        await ended.wait()
    assert not answering.cancelled()


async def test_what_the_source_raises_is_raised() -> None:
    async def broken() -> AsyncGenerator[int, None]:
        yield 1
        raise ZeroDivisionError

    line = Line()
    with pytest.raises(ZeroDivisionError):
        await streamed(broken())(SCOPE, line.receive, line.send)
    assert line.sent[-1]["more_body"]


async def test_a_server_that_stops_it_is_obeyed() -> None:
    async def endless() -> AsyncGenerator[int, None]:
        yield 1
        await asyncio.get_running_loop().create_future()

    line = Line()
    answering = asyncio.create_task(streamed(endless())(SCOPE, line.receive, line.send))
    await asyncio.wait({asyncio.create_task(line.receive())})
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering

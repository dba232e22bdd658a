"""A request that may only leave until a moment: not a byte of it leaves later, even over an open connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from shared import clock
from shared.outbound import clients
from shared.providers import http

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Listener:
    """Answers every request with an empty object, or with something that is no HTTP."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heard: list[bytes] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(65536):
            self.heard.append(head)
            writer.write(self.answer)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def listening(answer: bytes = ANSWER) -> AsyncIterator[Listener]:
    made = Listener(answer)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        yield made
    finally:
        server.close()


@pytest.mark.parametrize("keep_alive", [True, False])
async def test_nothing_leaves_late(keep_alive: bool) -> None:
    async with listening() as listener, clients.provider_session(keep_alive=keep_alive) as client:
        first = await http.send(client, "POST", listener.url, headers={}, body={}, seconds=5)
        assert isinstance(first, http.Reply)
        heard = len(listener.heard)
        with clients.leaving_by(clock.now() - timedelta(seconds=1)):
            late = await http.send(client, "POST", listener.url, headers={}, body={}, seconds=5)
        assert isinstance(late, http.NeverSent)
        assert len(listener.heard) == heard
        with clients.leaving_by(clock.now() + timedelta(minutes=1)):
            in_time = await http.send(client, "POST", listener.url, headers={}, body={}, seconds=5)
        assert isinstance(in_time, http.Reply)


async def test_an_answer_that_is_no_http_is_a_lost_one() -> None:
    async with listening(b"what?\r\n\r\n") as listener, clients.provider_session() as client:
        reply = await http.send(client, "POST", listener.url, headers={}, body={}, seconds=5)
        assert isinstance(reply, http.Lost)
        assert listener.heard

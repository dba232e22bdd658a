"""A small TCP proxy that can be poisoned: the line between two parts of the system, as bad as lines get."""

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from enum import StrEnum

HOST = "127.0.0.1"
CHUNK_BYTES = 64 * 1024
_BODY = b'{"error": {"code": "unavailable", "message": "busy"}}'
UNAVAILABLE = (
    b"HTTP/1.1 503 Busy\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
    % (len(_BODY), _BODY)
)


class Toxin(StrEnum):
    """What is wrong with a line."""

    LATENCY = "latency"  # every chunk comes `amount` seconds later
    CUT = "cut"  # lines are reset, each chunk with the chance `amount`
    BANDWIDTH = "bandwidth"  # `amount` bytes a second
    DOWN = "down"  # connections are refused
    SLOW_CLOSE = "slow_close"  # the end of a line is only seen `amount` seconds later
    ERROR = "error"  # an HTTP 503 instead of the server


@dataclass(frozen=True, slots=True)
class Toxic:
    """A toxin and how much of it."""

    toxin: Toxin
    amount: float = 0.0


async def pause(seconds: float) -> None:
    """Let `seconds` pass: what a line does to its bytes, not what a test does to wait."""
    over = asyncio.Event()
    timer = asyncio.get_running_loop().call_later(max(seconds, 0.0), over.set)
    try:
        await over.wait()
    finally:
        timer.cancel()


@dataclass(slots=True)
class Proxy:
    """Listens on a free loopback port from `open` on; `target` may be set later, before the first line."""

    name: str
    chance: random.Random
    target: tuple[str, int] = (HOST, 0)
    port: int = 0
    toxic: Toxic | None = None
    lines: set[asyncio.StreamWriter] = field(default_factory=set, init=False)
    _server: asyncio.Server | None = field(default=None, init=False)

    async def open(self) -> None:
        """Begin to listen; on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._serve, HOST, self.port, limit=CHUNK_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Stop listening and reset every line."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()

    def reset(self) -> None:
        """Reset every line that is open."""
        for writer in list(self.lines):
            writer.transport.abort()

    def poison(self, toxic: Toxic) -> None:
        """Put a toxic on the line, in place of any other. Those that need new lines reset the old ones."""
        self.toxic = toxic
        if toxic.toxin is Toxin.DOWN:
            self.close()
        elif toxic.toxin in {Toxin.CUT, Toxin.ERROR}:
            self.reset()

    async def heal(self) -> None:
        """Take the toxic off. May be repeated."""
        self.toxic = None
        if self._server is None:
            await self.open()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines.add(writer)
        try:
            if self._has(Toxin.ERROR):
                await self._answer_unavailable(reader, writer)
            else:
                await self._join(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            self.lines.discard(writer)
            writer.close()

    async def _answer_unavailable(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(UNAVAILABLE)
        await writer.drain()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self.target, limit=CHUNK_BYTES)
        self.lines.add(back)
        try:
            pumps = [asyncio.create_task(self._pump(*ends)) for ends in ((reader, back), (there, writer))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            if self._has(Toxin.SLOW_CLOSE):
                await pause(self._amount())
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            self.lines.discard(back)
            back.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                if self.toxic is not None:
                    await self._suffer(chunk, writer)
                if writer.transport.is_closing():
                    return
                writer.write(chunk)
                await writer.drain()

    async def _suffer(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        if self._has(Toxin.LATENCY):
            await pause(self._amount())
        elif self._has(Toxin.BANDWIDTH):
            await pause(len(chunk) / self._amount())
        elif self._has(Toxin.CUT) and self.chance.random() < self._amount():
            writer.transport.abort()

    def _has(self, toxin: Toxin) -> bool:
        return self.toxic is not None and self.toxic.toxin is toxin

    def _amount(self) -> float:
        return self.toxic.amount if self.toxic is not None else 0.0

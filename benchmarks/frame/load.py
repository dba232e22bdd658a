"""A load generator: raw HTTP/1.1 over kept-alive connections, far cheaper than what it asks.

It runs in a process of its own: `python load.py` reads a plan as JSON and prints what came of it.
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import uvloop

from frame import figures


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send: one of `heads` + `body` after the other, `count` in all, over `connections` lines."""

    port: int
    count: int
    connections: int
    method: str
    paths: Sequence[str]
    headers: Mapping[str, str]
    body: str = ""
    keyed: str = ""  # a prefix: each request gets an Idempotency-Key of its own


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a plan."""

    seconds: float
    p50_ms: float
    p99_ms: float
    statuses: Mapping[str, int]

    def rate(self, plan: Plan, status: int) -> float:
        """Requests a second; raises AssertionError unless all were answered with this status."""
        assert self.statuses == {str(status): plan.count}, self.statuses
        return plan.count / self.seconds


class _Line(asyncio.Protocol):
    """One connection: the next request goes out when the answer is whole."""

    def __init__(self, work: "_Work") -> None:
        self.work = work
        self.left = 0
        self.head = b""
        self.status = ""
        self.asked_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.ask()

    def ask(self) -> None:
        request = self.work.next()
        if request is None:
            self.transport.close()
            return
        self.asked_at = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        if not self.left:
            head, found, rest = (self.head + data).partition(b"\r\n\r\n")
            if not found:
                self.head += data
                return
            self.head, self.status = b"", head[9:12].decode()
            lower = head.lower()
            start = lower.index(b"content-length:") + 15
            self.left, data = int(lower[start:].split(b"\r\n", 1)[0]), rest
        self.left -= len(data)
        if self.left <= 0:
            self.work.answered(self.status, time.perf_counter() - self.asked_at)
            self.ask()

    def connection_lost(self, _: Exception | None) -> None:
        self.work.gone()


class _Work:
    """All that is still to be sent, and what came back."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.sent = 0
        self.lines = plan.connections
        self.seconds: list[float] = []
        self.statuses: dict[str, int] = {}
        self.over = asyncio.get_running_loop().create_future()
        fixed = {"Host": "127.0.0.1", **plan.headers}
        if plan.body:
            fixed |= {"Content-Type": "application/json", "Content-Length": str(len(plan.body.encode()))}
        self.rest = "".join(f"{name}: {value}\r\n" for name, value in fixed.items())

    def next(self) -> bytes | None:
        number, plan = self.sent, self.plan
        if number >= plan.count:
            return None
        self.sent += 1
        key = f"Idempotency-Key: {plan.keyed}{number}\r\n" if plan.keyed else ""
        path = plan.paths[number % len(plan.paths)]
        return f"{plan.method} {path} HTTP/1.1\r\n{self.rest}{key}\r\n{plan.body}".encode()

    def answered(self, status: str, seconds: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.seconds.append(seconds)

    def gone(self) -> None:
        self.lines -= 1
        if not self.lines:
            self.over.set_result(None)


async def _carry_out(plan: Plan) -> Outcome:
    work = _Work(plan)
    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    await asyncio.gather(
        *(loop.create_connection(lambda: _Line(work), "127.0.0.1", plan.port) for _ in range(plan.connections))
    )
    await work.over
    took = time.perf_counter() - began
    milliseconds = [seconds * 1000 for seconds in work.seconds]
    return Outcome(took, figures.percentile(milliseconds, 0.5), figures.percentile(milliseconds, 0.99), work.statuses)


async def send(plan: Plan) -> Outcome:
    """Carry the plan out in another process."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "frame.load"), stdin=pipe, stdout=pipe, cwd=Path(__file__).parent.parent
    )
    out, _ = await process.communicate(json.dumps(asdict(plan)).encode())
    assert process.returncode == 0
    return Outcome(**json.loads(out))


if __name__ == "__main__":
    made = uvloop.run(_carry_out(Plan(**json.loads(sys.stdin.read()))))
    sys.stdout.write(json.dumps(asdict(made)))

"""A chat stream whose worker dies: it goes on with another, or ends with an explicit error event."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from cli.stack import stack

CHAT = {"model": "sandbox/text-async-slow", "messages": [{"role": "user", "content": "Rivers?"}], "stream": True}
PREFIXES = ["/openai/v1", "/api/v1"]


async def events(lines: AsyncIterator[str]) -> list[Any]:
    data = [line.removeprefix("data: ") async for line in lines if line.startswith("data: ")]
    return [orjson.loads(item) if item != "[DONE]" else item for item in data]


async def both(http: httpx.AsyncClient, running: stack.Stack, *, come_back: bool) -> list[list[Any]]:
    """A stream of each dialect; every worker is killed while both are open."""
    async with (
        http.stream("POST", f"{PREFIXES[0]}/chat/completions", json=CHAT) as openai,
        http.stream("POST", f"{PREFIXES[1]}/chat/completions", json=CHAT) as openrouter,
    ):
        assert (openai.status_code, openrouter.status_code) == (200, 200)
        for name in ("worker-1", "worker-2"):
            await running.kill(name)
            if come_back:
                await running.restart(name)
        return list(await asyncio.gather(events(openai.aiter_lines()), events(openrouter.aiter_lines())))


async def test_a_stream_outlives_its_workers(http: httpx.AsyncClient, running: stack.Stack) -> None:
    for told in await both(http, running, come_back=True):
        assert told[-1] == "[DONE]"
        assert told[-2]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.timeout(180)
async def test_a_stream_that_nobody_serves_any_more_says_so(http: httpx.AsyncClient, running: stack.Stack) -> None:
    try:
        openai, openrouter = await both(http, running, come_back=False)
    finally:
        for name in ("worker-1", "worker-2"):
            await running.restart(name)
    assert len(openai) == len(openrouter) == 1
    assert openai[0]["error"]["code"] == "still_running"
    assert (openrouter[0]["error"]["code"], openrouter[0]["choices"][0]["finish_reason"]) == (408, "error")

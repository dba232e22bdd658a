"""Chat completions, as openai.md and openrouter.md §3.3 have them."""

from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web

from shared.domain import states
from tests.contract.servers import upstream

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
MODERATED = {"id": "c", "choices": [{"index": 0, "finish_reason": "content_filter", "message": {"content": ""}}]}


def chat(up: upstream.Upstream) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def completions(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        upstream.need(
            body,
            {"model": str, "messages": list},
            {"max_tokens": int, "temperature": float, "seed": int, "response_format": dict},
        )
        for turn in body["messages"]:
            upstream.need(turn, {"role": str, "content": str})
        up.accept(states.Kind.TEXT, body)
        return web.json_response(answer({"role": "assistant", "content": upstream.TEXT}))

    return completions


def embeddings(up: upstream.Upstream) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def made(request: web.Request) -> web.Response:
        body = await upstream.read(request)
        upstream.need(body, {"model": str, "input": list, "encoding_format": str}, {"dimensions": int})
        up.accept(states.Kind.EMBEDDING, body)
        vectors = enumerate(orjson.loads(upstream.VECTORS))
        found = [{"object": "embedding", "index": place, "embedding": vector} for place, vector in vectors]
        # Engines that work in parallel give them back as they come.
        usage = {"prompt_tokens": 11, "total_tokens": 11}
        return web.json_response({"object": "list", "data": found[::-1], "model": body["model"], "usage": usage})

    return made


def answer(message: upstream.Json) -> upstream.Json:
    return {
        "id": "chatcmpl-17",
        "object": "chat.completion",
        "created": 1790000000,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": USAGE,
    }

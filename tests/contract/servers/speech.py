"""Chat completions, as openai.md and openrouter.md §3.3 have them."""

from collections.abc import Awaitable, Callable

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


def answer(message: upstream.Json) -> upstream.Json:
    return {
        "id": "chatcmpl-17",
        "object": "chat.completion",
        "created": 1790000000,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": USAGE,
    }

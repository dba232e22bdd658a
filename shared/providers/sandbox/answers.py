"""How things look on the wire."""

from __future__ import annotations

import typing
from datetime import UTC, datetime

import orjson
from aiohttp import web

from shared.providers.sandbox import generations, meanings, prose, studio, variants

PRIVATE_URL = "http://169.254.169.254/latest/meta-data/"
WEB_PAGE = "<!doctype html><title>502</title><h1>Something is in the way</h1>"

Json = dict[str, typing.Any]


def json(body: object, status: int = 200) -> web.Response:
    """Any JSON answer."""
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def fault(status: int, code: str, message: str, retry_after_seconds: int | None = None) -> web.Response:
    """An error, in the one shape all errors have."""
    answer = json({"error": {"code": code, "message": message}}, status)
    if retry_after_seconds is not None:
        answer.headers["Retry-After"] = str(retry_after_seconds)
    return answer


def page() -> web.Response:
    """What a gateway in the way would answer: 200 and a web page."""
    return web.Response(text=WEB_PAGE, content_type="text/html")


def refused(refusal: variants.Refusal) -> web.Response:
    """The answer to an ask that was not accepted."""
    if refusal.html:
        return page()
    return fault(refusal.status, refusal.code, refusal.message, refusal.retry_after_seconds)


def unknown() -> web.Response:
    """The answer for an id that is not, or no longer, here."""
    return fault(404, "not_found", "There is no such generation here.")


def queued(generation: generations.Generation) -> web.Response:
    """The answer to an asynchronous ask; the same again for a repeat."""
    body = {"id": generation.id, "status": "queued", "reference": generation.ask.reference}
    return json(body, 202)


def view(generation: generations.Generation, now: float, origin: str) -> Json:
    """A generation as it stands now. `outputs`, `usage` and `cost_micros` come when it is over."""
    status = generation.status(now)
    over = status in generations.TERMINAL
    running = status is generations.Status.RUNNING
    accepted = datetime.fromtimestamp(generation.accepted_at, UTC)
    body: Json = {
        "id": generation.id,
        "status": generation.model.variant.running_word if running else status,
        "progress": generation.progress(now),
        "kind": generation.model.kind,
        "model": generation.model.name,
        "reference": generation.ask.reference,
        "created_at": accepted.isoformat(),
        "outputs": [],
        "error": None,
        "cost_micros": generation.charged_micros(now) if over else None,
    }
    if status is generations.Status.FAILED:
        body["error"] = {"code": "generation_failed", "message": "The work broke off."}
    if status is generations.Status.SUCCEEDED:
        _add_outputs(body, generation, origin)
    return body


def _add_outputs(body: Json, generation: generations.Generation, origin: str) -> None:
    if generation.model.variant.delivery is variants.Delivery.NOTHING:
        return
    if generation.model.kind is variants.Kind.EMBEDDING:
        _add_vectors(body, generation)
        return
    if generation.model.kind is variants.Kind.TEXT:
        _add_texts(body, generation)
        return
    numbers = range(generation.ask.input.n)
    body["outputs"] = [_file(generation, number, origin) for number in numbers]


def _file(generation: generations.Generation, number: int, origin: str) -> Json:
    private = generation.model.variant.delivery is variants.Delivery.PRIVATE
    url = PRIVATE_URL if private else f"{origin}/media/{generation.id}/{number}"
    return {"url": url, "media_type": studio.order_of(generation, number).media_type()}


def _add_vectors(body: Json, generation: generations.Generation) -> None:
    found = meanings.vectors(generation.ask.input, ragged=generation.model.variant.breaks_json)
    body["outputs"] = [{"text": orjson.dumps(found).decode(), "media_type": "application/json"}]
    body["usage"] = {"prompt_tokens": len(generation.ask.input.words().split()), "completion_tokens": 0}


def _add_texts(body: Json, generation: generations.Generation) -> None:
    breaks = generation.model.variant.breaks_json
    numbers = range(generation.ask.input.n)
    texts = [prose.write(generation.ask, number, breaks_json=breaks) for number in numbers]
    body["outputs"] = [
        {"text": text.text, "media_type": text.media_type, "finish_reason": text.finish_reason} for text in texts
    ]
    body["usage"] = {
        "prompt_tokens": texts[0].prompt_tokens,
        "completion_tokens": sum(text.completion_tokens for text in texts),
    }

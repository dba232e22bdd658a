"""The routes of the sandbox provider."""

from __future__ import annotations

import collections.abc

import orjson
import pydantic
from aiohttp import web

from shared.providers.sandbox import (
    accounts,
    answers,
    callbacks,
    counter,
    desk,
    downloads,
    faults,
    ledger,
    studio,
)

LARGEST_BODY_BYTES = 64 * 1024 * 1024
KEY_START = "Bearer sandbox"


def build(front: desk.Desk, callback_secret: str) -> web.Application:
    """The application over a desk; it closes what it opened when it is cleaned up."""
    app = web.Application(client_max_size=LARGEST_BODY_BYTES)
    switch, makers = faults.Switch(), studio.Studio()
    caller = callbacks.Callbacks(front, callback_secret)
    for account in accounts.ACCOUNTS:
        _add_account(app, account.base_path, counter.Counter(account, front, caller), switch)
    media = downloads.Downloads(front, makers)
    path = r"/media/{id}/{number:\d{1,3}}"
    app.router.add_get(path, _faulty(switch, faults.Place.MEDIA, media.get))
    Controls(front, switch).add_to(app)
    app.cleanup_ctx.append(_lifetime(makers, caller))
    return app


def _add_account(app: web.Application, base: str, desk_side: counter.Counter, switch: faults.Switch) -> None:
    routes = (
        ("POST", "", faults.Place.SUBMIT, desk_side.submit),
        ("GET", "", faults.Place.SEARCH, desk_side.search),
        ("GET", "/{id}", faults.Place.POLL, desk_side.poll),
        ("POST", "/{id}/cancel", faults.Place.CANCEL, desk_side.cancel),
    )
    for method, path, place, handler in routes:
        guarded = _keyed(_faulty(switch, place, handler))
        app.router.add_route(method, f"{base}/v1/generations{path}", guarded)


def _keyed(
    handler: collections.abc.Callable[[web.Request], collections.abc.Awaitable[web.StreamResponse]],
) -> collections.abc.Callable[[web.Request], collections.abc.Awaitable[web.StreamResponse]]:
    async def checked(request: web.Request) -> web.StreamResponse:
        if not request.headers.get("Authorization", "").startswith(KEY_START):
            return answers.fault(401, "auth", "The key must start with 'sandbox'.")
        return await handler(request)

    return checked


def _faulty(switch: faults.Switch, place: faults.Place, handler: faults.Handler) -> faults.Handler:
    async def struck(request: web.Request) -> web.StreamResponse:
        return await switch.around(place, handler, request)

    return struck


def _lifetime(
    makers: studio.Studio, caller: callbacks.Callbacks
) -> collections.abc.Callable[[web.Application], collections.abc.AsyncIterator[None]]:
    async def live(_app: web.Application) -> collections.abc.AsyncIterator[None]:
        await caller.start()
        yield
        await caller.stop()
        makers.close()

    return live


class Controls:
    """What no real provider has: its record laid open, and faults on a switch."""

    def __init__(self, front: desk.Desk, switch: faults.Switch) -> None:
        self._desk, self._switch = front, switch

    def add_to(self, app: web.Application) -> None:
        """Add their routes."""
        app.router.add_get("/health", self.health)
        app.router.add_get("/record", self.record)
        app.router.add_get("/record/summary", self.summary)
        app.router.add_get("/faults", self.show_faults)
        app.router.add_post("/faults", self.set_faults)
        app.router.add_delete("/faults", self.clear_faults)

    async def health(self, _request: web.Request) -> web.Response:
        """`GET /health`: it listens."""
        return answers.json({"status": "ok"})

    async def record(self, request: web.Request) -> web.Response:
        """`GET /record?since=`: every ask after that number, one JSON object a line."""
        since = request.query.get("since", "0")
        if not since.isdecimal():
            return answers.fault(400, "invalid_input", "since: must be the number of an ask")
        lines = (orjson.dumps(line) + b"\n" for line in ledger.lines(self._desk, int(since)))
        return web.Response(body=b"".join(lines), content_type="application/x-ndjson")

    async def summary(self, _request: web.Request) -> web.Response:
        """`GET /record/summary`: the sums."""
        return answers.json(ledger.summary(self._desk))

    async def show_faults(self, _request: web.Request) -> web.Response:
        """`GET /faults`: what is on, or null."""
        on = self._switch.now_on
        return answers.json(on.model_dump(mode="json") if on else None)

    async def set_faults(self, request: web.Request) -> web.Response:
        """`POST /faults`: replace what is on."""
        try:
            wanted = faults.Faults.model_validate_json(await request.read())
        except pydantic.ValidationError as error:
            return answers.fault(400, "invalid_input", str(error))
        self._switch.set(wanted)
        return await self.show_faults(request)

    async def clear_faults(self, request: web.Request) -> web.Response:
        """`DELETE /faults`: all off."""
        self._switch.set(None)
        return await self.show_faults(request)

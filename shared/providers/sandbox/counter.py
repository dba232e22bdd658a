"""The generations resource: submit, poll, search, cancel, for one account."""

from __future__ import annotations

from aiohttp import web

from shared.providers.sandbox import (
    accounts,
    answers,
    asks,
    callbacks,
    desk,
    downloads,
    faults,
    generations,
    variants,
)

ENDLESS_START = b'{"id": "gen_endless", "status": "succeeded", "outputs": [{"text": "'
ENDLESS_PIECE = b"and on and on " * 4096


class Counter:
    """The handlers of one account. All generations live at the desk they share."""

    def __init__(self, account: accounts.Account, front: desk.Desk, caller: callbacks.Callbacks) -> None:
        self._account, self._desk, self._callbacks = account, front, caller

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/generations`: 202 when asynchronous, else 200 with the result."""
        body = await request.read()
        key = request.headers.get("Idempotency-Key", "")
        caller = desk.Caller(self._account, key, origin(request))
        try:
            ask = asks.read(body)
        except asks.UnreadableError as invalid:
            self._desk.unreadable(caller, invalid)
            return answers.fault(invalid.status, invalid.code, invalid.message)
        outcome = self._desk.take(caller, ask)
        if isinstance(outcome, variants.Refusal):
            return answers.refused(outcome)
        self._callbacks.plan(outcome.generation)
        return faults.cut(request) if outcome.cut else await self._taken(request, outcome)

    async def _taken(self, request: web.Request, taken: desk.Taken) -> web.StreamResponse:
        made = taken.generation
        if made.model.variant.line is variants.Line.ENDLESS:
            answer = web.StreamResponse(headers={"Content-Type": "application/json"})
            await answer.prepare(request)
            await answer.write(ENDLESS_START)
            return await downloads.pour(answer, ENDLESS_PIECE)
        if made.model.asynchronous:
            return answers.queued(made)
        await made.over(self._desk.now)
        return self._view(request, made)

    async def poll(self, request: web.Request) -> web.Response:
        """`GET /v1/generations/{id}`."""
        found = self._desk.find(request.match_info["id"], self._account.name)
        return self._view(request, found) if found else answers.unknown()

    def _view(self, request: web.Request, made: generations.Generation) -> web.Response:
        return answers.json(answers.view(made, self._desk.now(), origin(request)))

    async def search(self, request: web.Request) -> web.Response:
        """`GET /v1/generations?reference=`: all that was accepted under it, oldest first."""
        if not self._account.searchable:
            return answers.fault(404, "not_found", "This account cannot be searched.")
        reference = request.query.get("reference")
        if not reference:
            return answers.fault(400, "invalid_input", "reference: is needed")
        found = self._desk.search(self._account.name, reference)
        now, base = self._desk.now(), origin(request)
        return answers.json({"data": [answers.view(made, now, base) for made in found]})

    async def cancel(self, request: web.Request) -> web.Response:
        """`POST /v1/generations/{id}/cancel`; may be repeated."""
        found = self._desk.find(request.match_info["id"], self._account.name)
        if found is None:
            return answers.unknown()
        status = self._desk.cancel(found)
        if status is None:
            return answers.fault(409, "too_late", "It is already over.")
        self._callbacks.plan(found)
        stopped = status is generations.Status.CANCELLED
        word = "cancelled" if stopped else "cancel_requested"
        return answers.json({"id": found.id, "status": word})


def origin(request: web.Request) -> str:
    """The address the client reached us at, so that links go back through the same proxy."""
    return f"{request.scheme}://{request.host}"

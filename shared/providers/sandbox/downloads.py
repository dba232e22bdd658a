"""The media server, honest and otherwise."""

from __future__ import annotations

import dataclasses
import random

from aiohttp import web

from shared.providers.sandbox import answers, desk, generations, media, studio, variants

OTHER_HOST = "127.0.0.9"
GARBAGE_BYTES = 4096
ENDLESS_PIECE = b"\0" * 65536


class Downloads:
    """`GET /media/{id}/{n}`; the id is the secret, no key is asked for."""

    def __init__(self, front: desk.Desk, makers: studio.Studio) -> None:
        self._desk, self._studio = front, makers
        self._odd = {
            variants.Delivery.GARBAGE: self._garbage,
            variants.Delivery.SHORT: self._short,
            variants.Delivery.TRUNCATED: self._truncated,
            variants.Delivery.ENDLESS: self._endless,
            variants.Delivery.WRONG_TYPE: self._wrong_type,
            variants.Delivery.REDIRECT: self._redirect,
            variants.Delivery.EXPIRED: self._expired,
        }

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The file, or what the variant gives in its place; 404 until the generation succeeded."""
        found = self._desk.find(request.match_info["id"])
        if found is None or not self._has(found, int(request.match_info["number"])):
            return answers.fault(404, "not_found", "There is no such file.")
        order = studio.order_of(found, int(request.match_info["number"]))
        odd = self._odd.get(found.model.variant.delivery, self._honest)
        return await odd(request, order)

    def _has(self, found: generations.Generation, number: int) -> bool:
        done = found.status(self._desk.now()) is generations.Status.SUCCEEDED
        return done and found.model.kind is not variants.Kind.TEXT and number < found.ask.input.n

    async def _honest(self, _request: web.Request, order: media.Order) -> web.StreamResponse:
        data = await self._studio.file(order)
        return web.Response(body=data, content_type=order.media_type())

    async def _garbage(self, _request: web.Request, order: media.Order) -> web.StreamResponse:
        data = random.Random(order.seed).randbytes(GARBAGE_BYTES)  # noqa: S311
        return web.Response(body=data, content_type=order.media_type())

    async def _truncated(self, _request: web.Request, order: media.Order) -> web.StreamResponse:
        data = await self._studio.file(order)
        return web.Response(body=data[: len(data) // 2], content_type=order.media_type())

    async def _short(self, request: web.Request, order: media.Order) -> web.StreamResponse:
        data = await self._studio.file(order)
        answer = web.StreamResponse(headers={"Content-Length": str(len(data))})
        answer.content_type = order.media_type()
        await answer.prepare(request)
        await answer.write(data[: len(data) // 2])
        if request.transport is not None:
            request.transport.close()
        return answer

    async def _endless(self, request: web.Request, order: media.Order) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.content_type = order.media_type()
        await answer.prepare(request)
        await answer.write(await self._studio.file(order))
        return await pour(answer, ENDLESS_PIECE)

    async def _wrong_type(self, _request: web.Request, order: media.Order) -> web.StreamResponse:
        film = order.duration_seconds is None
        other = dataclasses.replace(
            order, format="mp4" if film else "png", duration_seconds=1.0 if film else None,
            width=order.width // 2 * 2, height=order.height // 2 * 2,
        )  # fmt: skip
        data = await self._studio.file(other)
        return web.Response(body=data, content_type=order.media_type())

    async def _redirect(self, request: web.Request, order: media.Order) -> web.StreamResponse:
        """Away to another host, which would really serve the file: following it is what gives a
        careless client away.
        """
        if request.url.host == OTHER_HOST:
            return await self._honest(request, order)
        away = str(request.url.with_host(OTHER_HOST))
        return web.Response(status=302, headers={"Location": away})

    async def _expired(self, _request: web.Request, _order: media.Order) -> web.StreamResponse:
        return answers.fault(410, "expired", "This file is no longer kept.")


async def pour(answer: web.StreamResponse, piece: bytes) -> web.StreamResponse:
    """Write a piece again and again until the other side hangs up."""
    while True:
        await answer.write(piece)

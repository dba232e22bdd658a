"""The studio: has files made in threads, once each, and keeps the latest in memory."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures

from shared.providers.sandbox import generations, media

WORKERS = 2
KEPT_BYTES = 256 * 1024 * 1024
KEPT_FILE_BYTES = 32 * 1024 * 1024


class Studio:
    """Makes and keeps files. Belongs to one event loop."""

    def __init__(self) -> None:
        self._threads = concurrent.futures.ThreadPoolExecutor(WORKERS, "studio")
        self._making: dict[media.Order, asyncio.Future[bytes]] = {}
        self._kept: collections.OrderedDict[media.Order, bytes] = collections.OrderedDict()
        self._kept_bytes = 0

    async def file(self, order: media.Order) -> bytes:
        """The file for an order. Callers that want the same one at once share the work."""
        kept = self._kept.get(order)
        if kept is not None:
            self._kept.move_to_end(order)
            return kept
        making = self._making.get(order)
        if making is None:
            loop = asyncio.get_running_loop()
            making = loop.run_in_executor(self._threads, media.make, order)
            self._making[order] = making
            making.add_done_callback(lambda done: self._finish(order, done))
        # Shielded: one caller that hangs up must not take the file from the others.
        return await asyncio.shield(making)

    def _finish(self, order: media.Order, done: asyncio.Future[bytes]) -> None:
        del self._making[order]
        if done.cancelled() or done.exception():
            return
        data = done.result()
        if len(data) > KEPT_FILE_BYTES:
            return
        self._kept[order] = data
        self._kept_bytes += len(data)
        while self._kept_bytes > KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1])

    def close(self) -> None:
        """Drop what waits; what is being made is left to end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def order_of(generation: generations.Generation, number: int) -> media.Order:
    """The order for output `number` of a video or image generation."""
    ask = generation.ask
    width, height = ask.size()
    film = ask.kind == "video"
    return media.Order(
        prompt=ask.input.words(),
        seed=ask.input.seed + number,
        width=width,
        height=height,
        format="mp4" if film else ask.input.format,
        duration_seconds=ask.input.duration if film else None,
        audio=film and ask.input.generate_audio,
    )

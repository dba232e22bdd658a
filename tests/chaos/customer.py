"""The customer: submits, repeats a POST that broke under the same key, cancels, posts again, and keeps watching."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import httpx
import httpx_aiohttp

from tests.chaos import load, proxy

TERMINAL = frozenset({"completed", "failed", "cancelled", "expired"})
RANK = {"queued": 0, "in_progress": 1} | dict.fromkeys(TERMINAL, 2)
AGAIN_SECONDS = 0.5
LOOK_SECONDS = 1.0
GIVE_UP_SECONDS = 180.0
PAGE = 100
AT_ONCE = 24
# The aiohttp transport lets some of aiohttp's own errors through.
BROKEN = (httpx.HTTPError, aiohttp.ClientError, ValueError)


@dataclass(slots=True)
class Book:
    """All a customer knows. `first` and `last` are views of jobs by id."""

    orders: dict[str, load.Order] = field(default_factory=dict)
    answered: dict[int, set[str]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    unanswered: list[int] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)
    went_back: list[str] = field(default_factory=list)
    first: dict[str, load.Json] = field(default_factory=dict)
    last: dict[str, load.Json] = field(default_factory=dict)

    def accept(self, order: load.Order, job_id: str) -> None:
        """Note that this job was promised."""
        self.answered.setdefault(order.number, set()).add(job_id)
        self.orders[job_id] = order

    def look(self, job_id: str, status: str) -> None:
        """Note a status; one that goes back is a breach."""
        before = self.seen.get(job_id, "queued")
        if RANK[status] < RANK[before] or (before in TERMINAL and status != before):
            self.went_back.append(f"{job_id} was {before}, then {status}")
        self.seen[job_id] = status

    @property
    def open(self) -> list[str]:
        """Promised and not seen terminal yet."""
        return [job_id for job_id in self.orders if job_id not in self.first]


class Customer:
    """Speaks only to the public API."""

    def __init__(self, base_url: str, key: str, book: Book) -> None:
        self.book = book
        # Not httpx's own pool: with many requests waiting for an API that is down it eats the loop, and it loses
        # connections of requests that timed out.
        self._http = httpx_aiohttp.HttpxAiohttpClient(
            base_url=base_url, headers={"Authorization": f"Bearer {key}"}, timeout=20, trust_env=False
        )
        self._few = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look at the jobs all the time inside the block."""
        task = asyncio.create_task(self._watch(), name="watch")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()

    async def buy(self, orders: Iterable[load.Order]) -> None:
        """Place every order at its time, and do with it what its customer wants."""
        begun = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for order in orders:
                await proxy.pause(begun + order.at_seconds - time.monotonic())
                group.create_task(self._place(order))

    async def _place(self, order: load.Order) -> None:
        job_id = await self._submit(order)
        if job_id is None:
            return
        if order.cancel_after is not None:
            await proxy.pause(order.cancel_after)
            await self._insist("POST", f"/v1/jobs/{job_id}/cancel")
        if order.repost_after is not None:
            await proxy.pause(order.repost_after)
            await self._submit(order)

    async def _submit(self, order: load.Order) -> str | None:
        answer = await self._insist(
            "POST", f"/v1/{order.kind}s", json=order.body, headers={"Idempotency-Key": order.key}
        )
        if answer is None:
            self.book.unanswered.append(order.number)
            return None
        if answer.status_code != 202:
            self.book.refused.append(f"{order.body['model']}: {answer.status_code} {answer.text[:200]}")
            return None
        job_id = str(answer.json()["id"])
        self.book.accept(order, job_id)
        return job_id

    async def _insist(self, method: str, path: str, **rest: object) -> httpx.Response | None:
        """The first answer that is one: lines may break and 5xx come, for GIVE_UP_SECONDS."""
        until = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < until:
            async with self._few:
                answer = await self._try(method, path, **rest)
            if answer is not None and answer.status_code < 500 and answer.status_code != 429:
                return answer
            await proxy.pause(AGAIN_SECONDS)
        return None

    async def _try(self, method: str, path: str, **rest: object) -> httpx.Response | None:
        try:
            return await self._http.request(method, path, **rest)  # type: ignore[arg-type]
        except BROKEN:
            return None

    async def _watch(self) -> None:
        while True:
            await self.look()
            await proxy.pause(LOOK_SECONDS)

    async def look(self) -> None:
        """One look: which jobs are active, and a full view of each that is not any more. Never raises for an outage."""
        wanted = self.book.open
        try:
            active = await self._active()
        except BROKEN:
            return
        for job_id, status in active.items():
            self.book.look(job_id, status)
        over = [job_id for job_id in wanted if job_id not in active]
        await asyncio.gather(*(self._note_end(job_id) for job_id in over))

    async def _active(self) -> dict[str, str]:
        found = await self._pages([("status", "queued"), ("status", "in_progress")])
        return {job["id"]: job["status"] for job in found}

    async def _pages(self, filters: list[tuple[str, str]]) -> list[load.Json]:
        found: list[load.Json] = []
        cursor: list[tuple[str, str]] = []
        while True:
            answer = await self._http.get("/v1/jobs", params=[*filters, ("limit", str(PAGE)), *cursor])
            answer.raise_for_status()
            page = answer.json()
            found += page["data"]
            if not page["has_more"]:
                return found
            cursor = [("cursor", page["next_cursor"])]

    async def _note_end(self, job_id: str) -> None:
        job = await self._view(job_id)
        if job is None:
            return
        self.book.look(job_id, job["status"])
        if job["status"] in TERMINAL:
            self.book.first.setdefault(job_id, job)

    async def _view(self, job_id: str) -> load.Json | None:
        async with self._few:
            answer = await self._try("GET", f"/v1/jobs/{job_id}")
        if answer is None or answer.status_code != 200:
            return None
        job: load.Json = answer.json()
        return job

    async def settle(self, patience_seconds: float) -> None:
        """Watch until everything is over, or nothing has ended for so long: a slow machine loses no job."""
        until = time.monotonic() + patience_seconds
        while self.book.open and time.monotonic() < until:
            before = len(self.book.open)
            await self.look()
            if len(self.book.open) < before:
                until = time.monotonic() + patience_seconds
            await proxy.pause(LOOK_SECONDS)

    async def last_look(self) -> list[str]:
        """View every job once more; answers the ids of all the API has, told or not."""
        views = await asyncio.gather(*(self._view(job_id) for job_id in self.book.orders))
        self.book.last = {job["id"]: job for job in views if job is not None}
        for job in self.book.last.values():
            self.book.look(job["id"], job["status"])
        return [job["id"] for job in await self._pages([])]

    async def download(self, url: str) -> bytes | None:
        """An output's bytes, through the API's own redirect; None if there are none."""
        answer = await self._insist("GET", url, follow_redirects=True)
        return answer.content if answer is not None and answer.status_code == 200 else None

"""The storage's self-test: everything the platform needs of it, tried on one small object."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx

from shared.storage import troubles

if TYPE_CHECKING:
    from shared.storage import objects

BODY = b"genqueue storage self-test"
FETCH_SECONDS = 10.0


async def probe(store: objects.Objects, *, fetch_signed: bool) -> None:
    """See `objects.Objects.probe`."""
    key = f"_probe/{uuid.uuid4().hex}"
    with _step("put"):
        await store.put(key, BODY, "text/plain")
    try:
        with _step("get"):
            await _get(store, key)
        if fetch_signed:
            with _step("sign"):
                await _fetch(await store.sign(key, 60, "probe.txt", "text/plain"))
    except troubles.ProbeError:
        # The first fault is the one to tell; a probe left behind is a few bytes.
        with contextlib.suppress(troubles.StorageError):
            await store.delete([key])
        raise
    with _step("delete"):
        await store.delete([key])


async def _get(store: objects.Objects, key: str) -> None:
    download = await store.open(key)
    if b"".join([chunk async for chunk in download.chunks]) != BODY:
        raise troubles.StorageError("the object read back differs from the one stored")


async def _fetch(url: str) -> None:
    async with httpx.AsyncClient(timeout=FETCH_SECONDS, trust_env=False) as client:
        answer = await client.get(url)
    if answer.status_code != 200:
        raise troubles.StorageError(
            f"a signed URL answered {answer.status_code}; check the public endpoint, the region and this host's clock"
        )
    if answer.content != BODY:
        raise troubles.StorageError("a signed URL gave other bytes than were stored; check the public endpoint")


@contextlib.contextmanager
def _step(name: str) -> Iterator[None]:
    try:
        yield
    except troubles.StorageError as error:
        raise troubles.ProbeError(name, error.message) from error
    except httpx.HTTPError as error:
        # The message of an httpx error may hold the URL, and a signed URL is a secret.
        raise troubles.ProbeError(name, f"the public endpoint cannot be reached: {type(error).__name__}") from None

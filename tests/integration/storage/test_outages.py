"""Storage that is away, wrongly set up, or dies in the middle: told apart, and safe to repeat."""

import asyncio
import dataclasses
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from cli.stack import stack
from shared import clock
from shared.storage import bucket, objects, troubles
from tests.integration.storage import conftest, test_streams

Opener = Callable[..., objects.Objects]


@pytest.fixture
def opened(location: bucket.Location) -> Iterator[Opener]:
    """A store with some of its settings changed."""
    made: list[objects.Objects] = []

    def make(**changes: Any) -> objects.Objects:
        made.append(objects.Objects(dataclasses.replace(location, **changes)))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address where nobody listens, kept so that nobody can."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


async def test_storage_that_is_away_is_worth_trying_again(opened: Opener, nowhere: str) -> None:
    with pytest.raises(troubles.StorageUnavailableError) as caught:
        await opened(endpoint_url=nowhere).put("a", b"x", "text/plain")
    assert caught.value.retry_after_seconds


async def test_a_wrong_key_is_the_operators_to_mend(opened: Opener, location: bucket.Location) -> None:
    with pytest.raises(troubles.StorageError) as caught:
        await opened(secret_access_key="wrong").put("a", b"x", "text/plain")
    assert not isinstance(caught.value, troubles.StorageUnavailableError)
    assert "403" in caught.value.message
    assert location.secret_access_key not in repr(location)


async def test_a_bucket_is_made_once_however_many_ask(opened: Opener) -> None:
    first, second = opened(name="made-here"), opened(name="made-here")
    await asyncio.gather(first.ensure_bucket(), second.ensure_bucket())
    await first.ensure_bucket()
    await second.put("a", b"x", "text/plain")
    assert (await first.head("a")).size_bytes == 1


async def test_the_probe_passes_and_leaves_nothing(store: objects.Objects, peek: conftest.Peek) -> None:
    await store.probe()
    assert await peek.keys("_probe/") == []


async def test_the_probe_names_the_step_that_failed(opened: Opener, nowhere: str) -> None:
    with pytest.raises(troubles.ProbeError) as caught:
        await opened(secret_access_key="wrong").probe()
    assert caught.value.step == "put"
    split = opened(public_endpoint_url=nowhere)
    with pytest.raises(troubles.ProbeError) as caught:
        await split.probe()
    assert (caught.value.step, "X-Amz" in str(caught.value)) == ("sign", False)
    await split.probe(fetch_signed=False)


async def test_signed_urls_name_the_public_endpoint(opened: Opener) -> None:
    store = opened(public_endpoint_url="https://files.example.com")
    url = await store.sign("a/b.mp4", 60, "b.mp4", "video/mp4")
    assert url.startswith("https://files.example.com/")
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url


async def test_a_server_that_dies_in_the_middle_can_be_asked_again(
    server: stack.Stack, store: objects.Objects, peek: conftest.Peek
) -> None:
    async def killed_half_way() -> AsyncIterator[bytes]:
        async for piece in test_streams.pieces(20 * test_streams.MEBIBYTE):
            yield piece
        await server.kill("s3")
        async for piece in test_streams.pieces(20 * test_streams.MEBIBYTE):
            yield piece

    try:
        with pytest.raises(troubles.StorageUnavailableError):
            await store.put_stream("died/object", killed_half_way(), "video/mp4", test_streams.PLENTY)
    finally:
        await server.restart("s3")
    body = test_streams.pieces(40 * test_streams.MEBIBYTE)
    stored = await store.put_stream("died/object", body, "video/mp4", test_streams.PLENTY)
    assert (await store.head("died/object")).size_bytes == stored.size_bytes
    # Nobody could be told to throw the first parts away; the sweep does it.
    assert await peek.open_uploads("died/") == ["died/object"]
    assert await store.drop_stale_uploads(clock.now() - timedelta(hours=1)) == 0
    assert await store.drop_stale_uploads(clock.now() + timedelta(seconds=1)) == 1
    assert await peek.open_uploads("died/") == []

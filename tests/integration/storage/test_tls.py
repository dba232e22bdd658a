"""S3 behind https, with a certificate of an authority that only the operator knows: AWS_CA_BUNDLE names it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from shared.storage import bucket, objects, puts, troubles

BODY = bytes(range(256)) * 4
KEY = "tls/small.bin"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def secure(location: bucket.Location, authority: trustme.CA) -> AsyncIterator[bucket.Location]:
    """The same bucket; the bytes go through TLS that ends just before the server."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    behind = urlsplit(location.endpoint_url)
    if behind.scheme != "http":
        pytest.skip("S3_TEST_ENDPOINT has TLS of its own.")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(behind.hostname, behind.port)
        await asyncio.gather(_pipe(reader, ours), _pipe(theirs, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield replace(location, endpoint_url=f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    server.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def trusted(
    secure: bucket.Location, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[bucket.Bucket]:
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    made = bucket.Bucket(secure)
    yield made
    made.close()


async def test_a_small_body_goes_over_tls_at_once(trusted: bucket.Bucket, store: objects.Objects) -> None:
    assert await trusted.puts.put(trusted.of(KEY), KEY, "image/png", BODY)
    assert (await store.head(KEY)).media_type == "image/png"
    through = await trusted.run(lambda: trusted.client.get_object(Bucket=trusted.of(KEY), Key=KEY))
    assert await asyncio.to_thread(through["Body"].read) == BODY


async def test_who_cannot_be_trusted_gets_nothing(secure: bucket.Location, store: objects.Objects) -> None:
    await store.delete([KEY])
    line = puts.Puts(secure.endpoint_url, secure.region, secure.access_key_id, secure.secret_access_key)
    try:
        assert not await line.put(secure.name, KEY, "image/png", BODY)
    finally:
        line.close()
    with pytest.raises(troubles.ObjectMissingError):
        await store.head(KEY)

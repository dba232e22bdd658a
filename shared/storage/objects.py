"""Objects in the owner's bucket. The only way to the bytes of outputs; everything blocking runs in threads."""

import hashlib
import itertools
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from shared.domain import dispositions
from shared.storage import bucket, downloads, housekeeping, probing, troubles, uploads

KEYS_PER_DELETE = 1000


@dataclass(frozen=True, slots=True)
class Head:
    """What the storage says about an object. The ETag is not a checksum; the metadata are what `put` was given."""

    key: str
    size_bytes: int
    media_type: str
    etag: str
    metadata: Mapping[str, str] = field(default_factory=dict)


class Objects:
    """One bucket, and those of tenants that have their own. Every method raises StorageUnavailableError when the
    storage is away (try again later), and StorageError when it refuses (the operator must act). All may be repeated.
    """

    def __init__(self, location: bucket.Location) -> None:
        self._bucket = bucket.Bucket(location)

    def close(self) -> None:
        """Let go of threads and connections. The object is of no use afterwards."""
        self._bucket.close()

    async def put(
        self, key: str, body: bytes, media_type: str, metadata: Mapping[str, str] | None = None
    ) -> uploads.Stored:
        """Store a small body whole, over whatever was there. For anything large use `put_stream`."""
        await uploads.put(self._bucket, uploads.Target(key, media_type, metadata or {}), body)
        return uploads.Stored(key, len(body), hashlib.sha256(body).hexdigest())

    async def put_stream(
        self,
        key: str,
        chunks: AsyncIterator[bytes],
        media_type: str,
        limit_bytes: int,
        metadata: Mapping[str, str] | None = None,
    ) -> uploads.Stored:
        """Store a stream of unknown length in bounded memory (about four parts of 8 MiB).
        Past `limit_bytes` it raises TooBigError. Unless it returns, there is no object and no open multipart upload.
        """
        return await uploads.put_stream(
            self._bucket, uploads.Target(key, media_type, metadata or {}), chunks, limit_bytes
        )

    async def open(self, key: str, byte_range: str | None = None) -> downloads.Download:
        """Start reading. `byte_range` is an HTTP Range value such as `bytes=0-99`.
        Raises ObjectMissingError, or BadRangeError for a range outside the object (answer 416).
        """
        return await downloads.start(self._bucket, key, byte_range)

    async def download_to(self, key: str, path: Path) -> int:
        """Write the object to a file and return its length in bytes. Raises ObjectMissingError."""
        return await downloads.to_file(self._bucket, key, path)

    async def head(self, key: str) -> Head:
        """What the storage knows of an object. Raises ObjectMissingError."""
        answer = await self._bucket.run(lambda: self._bucket.client.head_object(Bucket=self._bucket.of(key), Key=key))
        return Head(key, answer["ContentLength"], answer["ContentType"], answer["ETag"], answer["Metadata"])

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; missing ones are no error."""
        wanted = sorted(set(keys), key=lambda key: (self._bucket.of(key), key))
        for name, in_bucket in itertools.groupby(wanted, self._bucket.of):
            found = list(in_bucket)
            for start in range(0, len(found), KEYS_PER_DELETE):
                await self._delete_some(name, found[start : start + KEYS_PER_DELETE])

    async def _delete_some(self, name: str, keys: Sequence[str]) -> None:
        answer = await self._bucket.run(
            lambda: self._bucket.client.delete_objects(
                Bucket=name, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
            )
        )
        if faults := answer.get("Errors", []):
            raise troubles.StorageError(f"The storage kept {len(faults)} of {len(keys)} objects: {faults[0]}")

    async def sign(self, key: str, seconds: int, filename: str, media_type: str, *, inline: bool = False) -> str:
        """A URL on the public endpoint that reads the object without a key for `seconds` (7 days at most).
        A secret: never log it. No request is made; whether the object exists is not checked.
        """
        return self._bucket.public_client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket.of(key),
                "Key": key,
                "ResponseContentDisposition": dispositions.content_disposition(filename, inline=inline),
                "ResponseContentType": media_type,
            },
            ExpiresIn=seconds,
        )

    async def ensure_bucket(self) -> None:
        """Make every bucket unless it is there. May be raced by other processes."""
        await housekeeping.ensure_bucket(self._bucket)

    async def drop_stale_uploads(self, before: datetime) -> int:
        """Abort multipart uploads begun before then, which a killed process left behind; how many there were.
        Their parts are paid for and seen by nobody. `before` must lie further back than any upload may take.
        """
        return await housekeeping.drop_stale_uploads(self._bucket, before)

    async def probe(self, *, fetch_signed: bool = True) -> None:
        """Put, read, sign and delete a small object. Raises ProbeError naming the step that failed.
        `fetch_signed=False` leaves out the fetch through the public endpoint, which servers may not reach.
        """
        await probing.probe(self, fetch_signed=fetch_signed)

"""The Idempotency-Key header, and the fingerprint that tells whether two requests are the same."""

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated

import fastapi
import orjson

from shared import errors

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Key:
    """The caller's key, and the SHA-256 of what it was sent with. Both None when there is no key."""

    value: str | None
    fingerprint: str | None


async def key(
    request: fastapi.Request,
    idempotency_key: Annotated[
        str | None,
        fastapi.Header(
            alias="Idempotency-Key",
            description="1 to 255 visible ASCII characters. The same key with the same body is one job.",
            examples=["4f1c2a7e-order-17"],
        ),
    ] = None,
) -> Key:
    """The dependency of routes that make something. Raises InvalidRequestError for a key we do not take."""
    if idempotency_key is None:
        return Key(None, None)
    return Key(_bare(idempotency_key), await _fingerprint(request))


def _bare(value: str) -> str:
    """The draft standard sends a quoted string, the world sends it bare: one pair of quotes is not part of the key."""
    bare = value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value
    if not _VISIBLE_ASCII.fullmatch(bare):
        raise errors.InvalidRequestError(
            "The Idempotency-Key must be 1 to 255 visible ASCII characters.",
            param="Idempotency-Key",
            accepted=["1 to 255 visible ASCII characters"],
        )
    return bare


async def _fingerprint(request: fastapi.Request) -> str:
    """Of method, path and parsed body: spaces and the order of fields make no other request."""
    body = await request.json() if await request.body() else None
    canonical = orjson.dumps([request.method, request.url.path, body], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()


Keyed = Annotated[Key, fastapi.Depends(key)]

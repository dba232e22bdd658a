"""How providers sign their callbacks, for those that do.

Replicate: Standard Webhooks 1.0.0 (replicate.com/docs/topics/webhooks/verify-webhook). OpenRouter: HMAC-SHA256 over
time, a comma and the body (reference/openrouter.md). fal: ed25519 over four lines (docs.fal.ai, Webhooks), with the
`x` of a key of its JWKS for a secret.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime

from cryptography import exceptions
from cryptography.hazmat.primitives.asymmetric import ed25519

TOLERANCE_SECONDS = 300

# The headers' names are in lower case.
_Check = Callable[[str, Mapping[str, str], bytes], str | None]


def is_genuine(adapter: str, secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Whether this provider signed these bytes within the last five minutes. False for a provider whose signature is
    not known here, and for whatever is no signature at all.
    """
    check = _CHECKS.get(adapter)
    try:
        signed_at = check(secret, headers, body) if check else None
        return signed_at is not None and abs(now.timestamp() - int(signed_at)) <= TOLERANCE_SECONDS
    except (ValueError, binascii.Error, exceptions.InvalidSignature):
        return False


def signs(adapter: str) -> bool:
    """Whether it is known here how this adapter's provider signs."""
    return adapter in _CHECKS


def _standard(secret: str, headers: Mapping[str, str], body: bytes) -> str | None:
    signed_at = headers.get("webhook-timestamp", "")
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    content = f"{headers.get('webhook-id', '')}.{signed_at}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest())
    given = headers.get("webhook-signature", "").encode().split()
    return signed_at if any(hmac.compare_digest(expected, one) for one in given) else None


def _openrouter(secret: str, headers: Mapping[str, str], body: bytes) -> str | None:
    parts = dict(part.partition("=")[::2] for part in headers.get("x-openrouter-signature", "").split(","))
    signed_at = parts.get("t", "")
    expected = hmac.new(secret.encode(), f"{signed_at},".encode() + body, hashlib.sha256).hexdigest()
    return signed_at if hmac.compare_digest(expected.encode(), parts.get("v1", "").encode()) else None


def _fal(secret: str, headers: Mapping[str, str], body: bytes) -> str | None:
    named = [headers.get(f"x-fal-webhook-{name}", "") for name in ("request-id", "user-id", "timestamp")]
    content = "\n".join([*named, hashlib.sha256(body).hexdigest()]).encode()
    key = base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4))
    signature = bytes.fromhex(headers.get("x-fal-webhook-signature", ""))
    ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
    return named[2]


_CHECKS: Mapping[str, _Check] = {"replicate": _standard, "openrouter": _openrouter, "fal": _fal}

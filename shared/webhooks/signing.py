"""Standard Webhooks 1.0.0: the signature of an event, symmetric (`v1`, `whsec_`) and ed25519 (`v1a`, `whpk_`)."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ed25519

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Pair:
    """A new secret and a new key pair, as their owners see them."""

    secret: str
    private_key: str
    public_key: str


class Signer:
    """Signs with one secret and one private key. Raises ValueError for texts that are none."""

    def __init__(self, secret: str, private_key: str) -> None:
        self.secret = secret
        self._secret = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        seed = base64.b64decode(private_key.removeprefix("whsk_"), validate=True)[:32]
        self._private_key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)

    def symmetric(self, content: bytes) -> str:
        """`v1,…`: HMAC-SHA256."""
        digest = hmac.new(self._secret, content, hashlib.sha256).digest()
        return f"v1,{base64.b64encode(digest).decode()}"

    def asymmetric(self, content: bytes) -> str:
        """`v1a,…`: ed25519."""
        return f"v1a,{base64.b64encode(self._private_key.sign(content)).decode()}"


def new_pair() -> Pair:
    """A fresh secret and key pair from the system's random numbers."""
    private = ed25519.Ed25519PrivateKey.generate()
    seed, public = private.private_bytes_raw(), private.public_key().public_bytes_raw()
    return Pair(
        secret="whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode(),
        private_key="whsk_" + base64.b64encode(seed + public).decode(),
        public_key="whpk_" + base64.b64encode(public).decode(),
    )


def content(event_id: str, timestamp: int, body: bytes) -> bytes:
    """What is signed."""
    return f"{event_id}.{timestamp}.".encode() + body


def headers(signers: Sequence[Signer], event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of one try. With several signers a receiver may know any one of their secrets."""
    signed = content(event_id, timestamp, body)
    symmetric = [signer.symmetric(signed) for signer in signers]
    asymmetric = [signer.asymmetric(signed) for signer in signers]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join([*symmetric, *asymmetric]),
    }

"""Signatures of callbacks, made here as each provider's documents say, and what is no signature."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
from cryptography.hazmat.primitives.asymmetric import ed25519

from shared.providers import signatures

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = b'{"id": "up-1", "status": "succeeded"}'
WHSEC = "whsec_" + base64.b64encode(b"k" * 32).decode()
PRIVATE = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
JWK_X = base64.urlsafe_b64encode(PRIVATE.public_key().public_bytes_raw()).decode().rstrip("=")


def replicate() -> dict[str, str]:
    signature = standardwebhooks.Webhook(WHSEC).sign("msg_1", NOW, BODY.decode())
    return {"webhook-id": "msg_1", "webhook-timestamp": STAMP, "webhook-signature": f"v1,AAAA {signature}"}


def openrouter() -> dict[str, str]:
    digest = hmac.new(WHSEC.encode(), f"{STAMP},".encode() + BODY, hashlib.sha256).hexdigest()
    return {"x-openrouter-signature": f"t={STAMP},v1={digest}"}


def fal() -> dict[str, str]:
    lines = ["req-1", "user-1", STAMP, hashlib.sha256(BODY).hexdigest()]
    names = ("request-id", "user-id", "timestamp")
    headers = {f"x-fal-webhook-{name}": line for name, line in zip(names, lines, strict=False)}
    return headers | {"x-fal-webhook-signature": PRIVATE.sign("\n".join(lines).encode()).hex()}


SIGNED = {"replicate": (WHSEC, replicate()), "openrouter": (WHSEC, openrouter()), "fal": (JWK_X, fal())}


@pytest.mark.parametrize("adapter", SIGNED)
def test_what_the_provider_signed_is_genuine_for_five_minutes(adapter: str) -> None:
    secret, headers = SIGNED[adapter]
    assert signatures.is_genuine(adapter, secret, headers, BODY, NOW)
    assert signatures.is_genuine(adapter, secret, headers, BODY, NOW + timedelta(minutes=5))
    assert not signatures.is_genuine(adapter, secret, headers, BODY, NOW + timedelta(minutes=6))
    assert not signatures.is_genuine(adapter, secret, headers, BODY, NOW - timedelta(minutes=6))


@pytest.mark.parametrize("adapter", SIGNED)
def test_any_other_bytes_key_or_header_is_not(adapter: str) -> None:
    secret, headers = SIGNED[adapter]
    assert not signatures.is_genuine(adapter, secret, headers, BODY + b" ", NOW)
    assert not signatures.is_genuine(adapter, secret[:-4] + "AAAA", headers, BODY, NOW)
    assert not signatures.is_genuine(adapter, "no key at all é", headers, BODY, NOW)
    for name in headers:
        without = {key: value for key, value in headers.items() if key != name}
        assert not signatures.is_genuine(adapter, secret, without, BODY, NOW), name
        for wrong in ("", "x", "é", "v1,=", "t=,v1=", STAMP + "0"):
            assert not signatures.is_genuine(adapter, secret, headers | {name: wrong}, BODY, NOW), (name, wrong)


def test_nothing_is_genuine_of_a_provider_that_is_not_known_to_sign() -> None:
    assert not signatures.is_genuine("luma", WHSEC, replicate(), BODY, NOW)

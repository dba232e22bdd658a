"""Signatures as Standard Webhooks 1.0.0 has them, checked by other people's libraries."""

import base64
from datetime import UTC, datetime

import openai
import pytest
from cryptography import exceptions
from cryptography.hazmat.primitives.asymmetric import ed25519
from standardwebhooks import webhooks

from shared.webhooks import sealing, signing

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PRIVATE = "whsk_" + base64.b64encode(bytes(range(32))).decode()
PUBLIC = "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
ID, TIMESTAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
V1A = "v1a,yoUrgEkc12aGqm0n4Sydmdz55xJfTz4AsAgieHFjmkR7LJtqVCZOQYzvvHjI5kAey+r4iaBGxTFRrl2iBQxtDQ=="


def test_the_known_answers() -> None:
    headers = signing.headers([signing.Signer(SECRET, PRIVATE)], ID, TIMESTAMP, BODY)
    assert headers == {"webhook-id": ID, "webhook-timestamp": str(TIMESTAMP), "webhook-signature": f"{V1} {V1A}"}


def signed(signers: list[signing.Signer], body: bytes) -> dict[str, str]:
    return signing.headers(signers, "evt_01k0zqj5w3m8v4t2c6n9xb7rde", int(datetime.now(UTC).timestamp()), body)


def test_the_official_library_verifies_and_refuses() -> None:
    pair = signing.new_pair()
    headers = signed([signing.Signer(pair.secret, pair.private_key)], BODY)
    webhooks.Webhook(pair.secret).verify(BODY, headers)
    with pytest.raises(webhooks.WebhookVerificationError):
        webhooks.Webhook(pair.secret).verify(BODY + b" ", headers)


def test_either_secret_verifies_while_they_overlap() -> None:
    old, new = signing.new_pair(), signing.new_pair()
    headers = signed([signing.Signer(pair.secret, pair.private_key) for pair in (new, old)], BODY)
    for pair in (old, new):
        webhooks.Webhook(pair.secret).verify(BODY, headers)


def test_the_public_key_verifies_v1a() -> None:
    pair = signing.new_pair()
    headers = signed([signing.Signer(pair.secret, pair.private_key)], BODY)
    signature = next(item for item in headers["webhook-signature"].split() if item.startswith("v1a,"))
    key = ed25519.Ed25519PublicKey.from_public_bytes(base64.b64decode(pair.public_key.removeprefix("whpk_")))
    content = signing.content(headers["webhook-id"], int(headers["webhook-timestamp"]), BODY)
    key.verify(base64.b64decode(signature.removeprefix("v1a,")), content)
    with pytest.raises(exceptions.InvalidSignature):
        key.verify(base64.b64decode(signature.removeprefix("v1a,")), content + b" ")


def test_openais_sdk_unwraps_an_event() -> None:
    pair = signing.new_pair()
    body = b'{"type":"job.completed","timestamp":"2026-07-25T09:30:00Z","data":{"id":"job_1"}}'
    headers = signed([signing.Signer(pair.secret, pair.private_key)], body)
    client = openai.OpenAI(api_key="unused", webhook_secret=pair.secret)
    event = client.webhooks.unwrap(body, headers)
    assert event.to_dict()["type"] == "job.completed"
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client.webhooks.unwrap(body + b" ", headers)


def test_secrets_are_as_long_as_the_standard_asks() -> None:
    pair = signing.new_pair()
    assert pair.secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(pair.secret.removeprefix("whsec_"))) <= 64
    assert len(base64.b64decode(pair.private_key.removeprefix("whsk_"))) == 64


def test_a_sealed_secret_shows_nothing_and_opens_with_any_of_the_keys() -> None:
    stored = sealing.Sealer("old key").seal("whsec_abc")
    assert "whsec" not in stored
    assert sealing.Sealer("new key, old key").open(stored) == "whsec_abc"
    for keys in ("", "new key"):
        with pytest.raises(sealing.CannotOpenError):
            sealing.Sealer(keys).open(stored)


def test_without_a_key_secrets_are_kept_as_they_are_and_still_open_once_there_is_one() -> None:
    stored = sealing.Sealer("").seal("whsec_abc")
    assert sealing.Sealer("a key").open(stored) == "whsec_abc"
    assert not sealing.Sealer(" , ").seals

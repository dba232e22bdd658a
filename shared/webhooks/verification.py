"""Telling a receiver's author which part of a request does not verify, and what was probably done to it."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import orjson

from shared.webhooks import signing

TOLERANCE_SECONDS = 300


class Part(StrEnum):
    """A part of a signed request."""

    ID = "webhook-id"
    TIMESTAMP = "webhook-timestamp"
    SIGNATURE = "webhook-signature"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one part, in a sentence that says what to do."""

    part: Part
    message: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What we know of the event that the request names: its body, and when it was tried (Unix seconds)."""

    body: bytes
    timestamps: frozenset[int]


def examine(
    headers: Mapping[str, str], body: bytes, signers: Sequence[signing.Signer], sent: Sent | None, now: datetime
) -> list[Finding]:
    """Everything that is wrong; empty when the request verifies. `headers` have lower-case names."""
    missing = [part for part in (Part.ID, Part.TIMESTAMP, Part.SIGNATURE) if not headers.get(part)]
    if missing:
        return [Finding(part, f"The header {part} is missing.") for part in missing]
    timestamp = headers[Part.TIMESTAMP].strip()
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 13):
        return [Finding(Part.TIMESTAMP, "It must be Unix seconds: digits and nothing else.")]
    given = [item for item in headers[Part.SIGNATURE].split() if _is_signature(item)]
    if not given:
        return [Finding(Part.SIGNATURE, "It holds no `v1,` or `v1a,` followed by base64.")]
    asked = _Asked(headers[Part.ID], int(timestamp), given, signers)
    if asked.matches(body):
        return _age(int(timestamp), now)
    return _why(asked, body, sent)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The signed headers of a request, and what may have signed them."""

    event_id: str
    timestamp: int
    given: Sequence[str]
    signers: Sequence[signing.Signer]

    def matches(self, body: bytes, timestamp: int | None = None) -> bool:
        content = signing.content(self.event_id, self.timestamp if timestamp is None else timestamp, body)
        ours = [sign for signer in self.signers for sign in (signer.symmetric(content), signer.asymmetric(content))]
        return any(hmac.compare_digest(one, other) for one in ours for other in self.given)


def _is_signature(item: str) -> bool:
    version, comma, value = item.partition(",")
    try:
        return version in {"v1", "v1a"} and bool(comma) and len(base64.b64decode(value, validate=True)) in {32, 64}
    except ValueError:
        return False


def _age(timestamp: int, now: datetime) -> list[Finding]:
    away = int(now.timestamp()) - timestamp
    if abs(away) <= TOLERANCE_SECONDS:
        return []
    where = "old" if away > 0 else "ahead of our clock"
    text = f"The signature is right, but {abs(away)} s {where}: libraries refuse more than {TOLERANCE_SECONDS} s."
    return [Finding(Part.TIMESTAMP, text)]


def _why(asked: _Asked, body: bytes, sent: Sent | None) -> list[Finding]:
    """The signature does not fit. If we know what was sent, each part can be put right by itself and tried again."""
    if sent is None:
        return [Finding(Part.ID, "We never sent an event with this id to this receiver.")]
    if asked.matches(sent.body):
        return [Finding(Part.BODY, _difference(sent.body, body))]
    for timestamp in sent.timestamps:
        if asked.matches(sent.body, timestamp):
            found = [Finding(Part.TIMESTAMP, f"This signature was made for {timestamp}.")]
            return found if body == sent.body else [*found, Finding(Part.BODY, _difference(sent.body, body))]
    if body != sent.body:
        return [Finding(Part.BODY, _difference(sent.body, body)), Finding(Part.SIGNATURE, _FOREIGN)]
    return [Finding(Part.SIGNATURE, _FOREIGN)]


_FOREIGN = "It was not made with this receiver's current secret or one that still signs beside it."


def _difference(sent: bytes, body: bytes) -> str:
    place = next((n for n, (a, b) in enumerate(zip(sent, body, strict=False)) if a != b), min(len(sent), len(body)))
    if body.strip() == sent:
        return "White space was added around the body; verify the raw bytes."
    if _same_json(sent, body):
        return f"It is the same JSON written anew (first difference at byte {place}); verify the raw bytes."
    return f"It is not what we sent: {len(body)} bytes instead of {len(sent)}, first difference at byte {place}."


def _same_json(one: bytes, other: bytes) -> bool:
    try:
        return bool(orjson.loads(one) == orjson.loads(other))
    except orjson.JSONDecodeError:
        return False

"""Keys of callers: what they look like, what they may do. Pure; the secret itself is never stored."""

import binascii
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

SECRET_BYTES = 24
BODY_LENGTH = 33
CHECK_LENGTH = 6
HINT_LENGTH = 12

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# For secret scanners too: 47 characters, the last six a checksum.
FORM = re.compile(r"gq_(live|test)_([0-9A-Za-z]{33})([0-9A-Za-z]{6})")


class Mode(StrEnum):
    """`test` keys reach sandbox models only, and cost nothing."""

    LIVE = "live"
    TEST = "test"


class Scope(StrEnum):
    """What a key may do. ADMIN includes all others."""

    SUBMIT = "submit"
    READ = "read"
    MANAGE = "manage"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a key is held to. None: as the settings say; for `max_queued` and below: no limit."""

    requests_per_minute: int | None = None
    max_queued: int | None = None
    max_in_flight: int | None = None
    max_batch_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A row of `keys`, without its secret. `hint` is the beginning, enough to tell keys apart. Until
    `previous_until_at` the secret from before the last rotation works as well.
    """

    id: str
    tenant_id: str
    name: str
    mode: Mode
    hint: str
    scopes: frozenset[Scope]
    limits: Limits
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    disabled_at: datetime | None = None
    last_used_at: datetime | None = None
    previous_until_at: datetime | None = None

    def is_usable(self, now: datetime) -> bool:
        """Whether it opens anything at this moment."""
        return self.disabled_at is None and (self.expires_at is None or now < self.expires_at)


def generate(mode: Mode) -> str:
    """A new secret: `gq_live_` or `gq_test_`, 192 random bits, and a checksum."""
    number = int.from_bytes(secrets.token_bytes(SECRET_BYTES))
    start = f"gq_{mode}_{_base62(number, BODY_LENGTH)}"
    return start + _checksum(start)


def mode_of(secret: str) -> Mode | None:
    """Which kind of key this is; None if nobody ever made it (a typo, a cut, something else)."""
    found = FORM.fullmatch(secret)
    if found is None or _checksum(secret[:-CHECK_LENGTH]) != found[3]:
        return None
    return Mode(found[1])


def digest(secret: str) -> str:
    """What is stored. A slow hash would add nothing: 192 random bits cannot be guessed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def hint(secret: str) -> str:
    """The beginning of a secret, to tell keys apart: eight letters of the prefix, four of 33."""
    return secret[:HINT_LENGTH]


def _checksum(text: str) -> str:
    return _base62(binascii.crc32(text.encode("ascii")), CHECK_LENGTH)


def _base62(number: int, length: int) -> str:
    letters = ""
    while number:
        number, rest = divmod(number, len(_BASE62))
        letters = _BASE62[rest] + letters
    return letters.rjust(length, _BASE62[0])

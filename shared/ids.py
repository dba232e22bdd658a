"""Ids carry a prefix that says what they name, and sort by the time they were made."""

import re
from datetime import datetime
from enum import StrEnum

import ulid


class Prefix(StrEnum):
    """What an id names."""

    JOB = "job"
    ATTEMPT = "att"
    OUTPUT = "out"
    EVENT = "evt"
    BATCH = "bat"
    TENANT = "ten"
    KEY = "key"
    PROCESS = "prc"
    REQUEST = "req"
    FILE = "fil"
    RECEIVER = "rcv"
    DELIVERY = "dlv"
    LEDGER = "led"
    BUDGET = "bud"
    AUDIT = "aud"
    SIGNING_KEY = "sgk"


_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
# Ten bits at a time: 26 digits of five.
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]
_SHIFTS = range(120, -10, -10)

# Crockford base 32 in lower case: 26 characters, no i, l, o or u.
_BODY = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")


def new(prefix: Prefix) -> str:
    """A new id such as `job_01k…`: unguessable (80 random bits), sortable to the millisecond."""
    return f"{prefix}_{_written(ulid.ULID())}"


def _written(made: ulid.ULID) -> str:
    # Twice as fast as the library, which every request asks four times.
    value = int(made)
    return "".join([_PAIRS[value >> shift & 1023] for shift in _SHIFTS])


def is_valid(prefix: Prefix, value: str) -> bool:
    """Whether `value` could have been made by `new(prefix)`."""
    head, _, body = value.partition("_")
    return head == prefix and _BODY.fullmatch(body) is not None


def first_at(prefix: Prefix, moment: datetime) -> str:
    """The smallest id that can be made at `moment` or later: what is less was made before."""
    milliseconds = min(max(int(moment.timestamp() * 1000), 0), 2**48 - 1)
    return f"{prefix}_{_written(ulid.ULID(milliseconds.to_bytes(6, 'big') + bytes(10)))}"

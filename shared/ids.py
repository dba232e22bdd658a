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


# Crockford base 32 in lower case: 26 characters, no i, l, o or u.
_BODY = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")


def new(prefix: Prefix) -> str:
    """A new id such as `job_01k…`: unguessable (80 random bits), sortable to the millisecond."""
    return f"{prefix}_{str(ulid.ULID()).lower()}"


def is_valid(prefix: Prefix, value: str) -> bool:
    """Whether `value` could have been made by `new(prefix)`."""
    head, _, body = value.partition("_")
    return head == prefix and _BODY.fullmatch(body) is not None


def first_at(prefix: Prefix, moment: datetime) -> str:
    """The smallest id that can be made at `moment` or later: what is less was made before."""
    milliseconds = min(max(int(moment.timestamp() * 1000), 0), 2**48 - 1)
    return f"{prefix}_{str(ulid.ULID(milliseconds.to_bytes(6, 'big') + bytes(10))).lower()}"

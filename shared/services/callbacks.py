"""Providers calling us back: a signed URL an attempt, which can do no more than make us look sooner."""

import hashlib
import hmac
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog

from shared import ids, logs, settings
from shared.db import callbacks as rows
from shared.db import engine
from shared.domain import states
from shared.providers import signatures

PATH = "/callbacks/"
LONGEST_UPSTREAM_ID = 500
# Where providers write their own id of the job.
_ID_FIELDS = ("id", "request_id", "task_id", "taskId", "job_id", "name")
_WAITED_FOR = frozenset({states.AttemptStatus.ACCEPTED, states.AttemptStatus.OVERDUE})

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


class Effect(StrEnum):
    """What a call came to."""

    DUE = "due"
    DISCOVERED = "discovered"
    NOTHING = "nothing"


class Signer:
    """Makes and reads the URLs. Without a secret there are none, and no token is valid."""

    def __init__(self, secret: bytes, base_url: str | None) -> None:
        self._secret = secret
        self._base_url = base_url

    def url(self, attempt_id: str) -> str | None:
        """Where the provider may call about this attempt; None where it cannot reach us, or should not."""
        if not self._secret or self._base_url is None:
            return None
        return f"{self._base_url}{PATH}{attempt_id}.{self._mac(attempt_id)}"

    def attempt_of(self, token: str) -> str | None:
        """The attempt that a token was made for; None for any other text."""
        attempt_id, _, mac = token.partition(".")
        known = self._secret and ids.is_valid(ids.Prefix.ATTEMPT, attempt_id)
        return attempt_id if known and hmac.compare_digest(mac.encode(), self._mac(attempt_id).encode()) else None

    def _mac(self, attempt_id: str) -> str:
        return hmac.new(self._secret, attempt_id.encode(), hashlib.sha256).hexdigest()


def signer(configured: settings.Settings) -> Signer:
    """The signer for these settings. Its own secret is derived, from the first secret key or else the admin key."""
    source = configured.secret_key.get_secret_value().partition(",")[0] or configured.admin_key.get_secret_value()
    secret = hmac.new(source.encode(), b"genqueue callbacks", hashlib.sha256).digest() if source else b""
    wanted = configured.callbacks == "always" or (
        configured.callbacks == "auto" and not _is_this_machine(configured.public_url)
    )
    return Signer(secret, configured.public_url.rstrip("/") if wanted else None)


@dataclass(frozen=True, slots=True)
class Call:
    """What came in: header names in lower case, and the bytes as they were sent."""

    headers: Mapping[str, str]
    raw: bytes

    def body(self) -> Mapping[str, Any]:
        """What was sent, if it is a JSON object without NUL characters. Whatever else it is tells us nothing."""
        try:
            found = orjson.loads(self.raw)
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) and b"\\u0000" not in self.raw else {}


@dataclass(frozen=True, slots=True)
class Secrets:
    """What providers sign with, by provider name. `adapter_of` is asked each time: the catalog may be read again."""

    by_provider: Mapping[str, Sequence[str]]
    adapter_of: Callable[[str], str | None]

    def allow(self, provider: str, call: Call, now: datetime) -> bool:
        """Whether the call may count. Without a secret for the provider the URL alone must do; with one, a
        call that is not signed by any of its secrets does not count.
        """
        known = self.by_provider.get(provider, ())
        adapter = self.adapter_of(provider) or provider
        return not known or any(signatures.is_genuine(adapter, key, call.headers, call.raw, now) for key in known)


def _is_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


async def called(db: engine.Database, secrets: Secrets, attempt_id: str, call: Call, now: datetime) -> Effect:
    """A provider called about an attempt. What it says is not believed: its job is polled now. Only of an attempt in
    doubt the id is noted, so that it can be polled at all; a job that is over stays over. A call that should be
    signed and is not comes to nothing, with a log line. Commits. May be repeated.
    """
    async with db.transaction() as connection:
        attempt = await rows.attempt(connection, attempt_id)
        if attempt is None:
            return Effect.NOTHING
        if not secrets.allow(attempt.provider, call, now):
            _log.warning("callback_not_signed", provider=attempt.provider, job_id=attempt.job_id)
            return Effect.NOTHING
        effect = Effect.NOTHING
        if attempt.status is states.AttemptStatus.IN_DOUBT:
            upstream_id = _upstream_id(call.body())
            if upstream_id is None or not await rows.discover(connection, attempt.id, upstream_id):
                return Effect.NOTHING
            effect = Effect.DISCOVERED
        elif attempt.status not in _WAITED_FOR:
            return Effect.NOTHING
        woken = await rows.make_due(connection, attempt.job_id, now)
    _log.info("called_back", attempt=attempt.number, job_id=attempt.job_id, effect=effect, woken=woken)
    return Effect.DUE if effect is Effect.NOTHING and woken else effect


def _upstream_id(body: Mapping[str, Any]) -> str | None:
    for field in _ID_FIELDS:
        value = body.get(field)
        if isinstance(value, str) and 0 < len(value) <= LONGEST_UPSTREAM_ID:
            return value
    return None

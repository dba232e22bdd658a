"""Secrets at rest: sealed with the deployment's key, so that a copy of the database signs nothing."""

import base64
import hashlib

import structlog
from cryptography import fernet

from shared import logs

PLAIN = "plain:"
SEALED = "fernet:"

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


class CannotOpenError(Exception):
    """A secret was sealed with a key that GENQUEUE_SECRET_KEY does not name (any more)."""


class Sealer:
    """Seals with the first key and opens with any. Without keys it stores as it is, marked so, and still reads what
    it may: a deployment can set its key later.
    """

    def __init__(self, keys: str) -> None:
        """`keys` is GENQUEUE_SECRET_KEY: one key or several with commas between, each any long text."""
        made = [fernet.Fernet(_derived(key.strip())) for key in keys.split(",") if key.strip()]
        self._fernet = fernet.MultiFernet(made) if made else None
        if not made:
            _log.warning("secrets_are_not_sealed", advice="set GENQUEUE_SECRET_KEY")

    @property
    def seals(self) -> bool:
        """Whether there is a key at all."""
        return self._fernet is not None

    def seal(self, text: str) -> str:
        """What to store for a secret."""
        if self._fernet is None:
            return PLAIN + text
        return SEALED + self._fernet.encrypt(text.encode()).decode()

    def open(self, stored: str) -> str:
        """The secret again. Raises CannotOpenError."""
        if stored.startswith(PLAIN):
            return stored.removeprefix(PLAIN)
        if self._fernet is None:
            raise CannotOpenError
        try:
            return self._fernet.decrypt(stored.removeprefix(SEALED).encode()).decode()
        except fernet.InvalidToken:
            raise CannotOpenError from None


def _derived(key: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(b"genqueue-secrets." + key.encode()).digest())

"""The keys events are signed with: made when first needed, revealed, replaced with an overlap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from shared import ids, logs
from shared.db import audit as audit_rows
from shared.db import engine
from shared.db import signing as rows
from shared.domain import audit
from shared.domain import signing as domain
from shared.webhooks import sealing, signing

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Revealed:
    """An owner's current secret and public key, and until when an older one signs beside it."""

    secret: str
    public_key: str
    created_at: datetime
    previous_expires_at: datetime | None


class Keyring:
    """Opens sealed keys and keeps them opened: a key never changes. One a process."""

    def __init__(self, sealer: sealing.Sealer) -> None:
        self.sealer = sealer
        self._opened: dict[str, signing.Signer] = {}

    def open(self, keys: Sequence[domain.SigningKey]) -> list[signing.Signer]:
        """The signers of these keys. What cannot be opened is left out, and logged."""
        return [signer for key in keys if (signer := self._open(key)) is not None]

    def _open(self, key: domain.SigningKey) -> signing.Signer | None:
        if key.id not in self._opened:
            try:
                opened = signing.Signer(self.sealer.open(key.sealed_secret), self.sealer.open(key.sealed_private_key))
            except sealing.CannotOpenError:
                _log.error("cannot_open_signing_key", key=key.id, advice="add its key to GENQUEUE_SECRET_KEY")
                return None
            self._opened[key.id] = opened
        return self._opened[key.id]


async def signers(
    connection: engine.Connection, keyring: Keyring, owners: Mapping[str, str], now: datetime
) -> dict[str, list[signing.Signer]]:
    """What signs for each owner (their tenants are the values). Makes keys for those that have none. Part of its
    caller's transaction.
    """
    known = await _keys(connection, keyring.sealer, owners, now)
    return {owner: keyring.open(known.get(owner, [])) for owner in owners}


async def reveal(db: engine.Database, sealer: sealing.Sealer, owner_id: str, tenant_id: str, now: datetime) -> Revealed:
    """The owner's secret; made if there is none yet. Commits. Raises CannotOpenError."""
    async with db.transaction() as connection:
        known = await _keys(connection, sealer, {owner_id: tenant_id}, now)
    return _revealed(sealer, known[owner_id])


async def rotate(
    db: engine.Database, sealer: sealing.Sealer, owner_id: str, tenant_id: str, overlap_seconds: int, now: datetime
) -> Revealed:
    """A new secret at once; the old one signs beside it for `overlap_seconds` more. Commits."""
    async with db.transaction() as connection:
        await rows.retire(connection, owner_id, now + timedelta(seconds=overlap_seconds), now)
        data = {"overlap_seconds": overlap_seconds}
        await audit_rows.append(connection, tenant_id, audit.Action.SECRET_ROTATED, owner_id, now, data)
        known = await _keys(connection, sealer, {owner_id: tenant_id}, now)
    return _revealed(sealer, known[owner_id])


async def _keys(
    connection: engine.Connection, sealer: sealing.Sealer, owners: Mapping[str, str], now: datetime
) -> dict[str, list[domain.SigningKey]]:
    known = await rows.of_owners(connection, owners.keys(), now)
    without = [owner for owner in owners if not any(key.expires_at is None for key in known.get(owner, []))]
    for owner in without:
        await rows.insert(connection, _new(sealer, owner, owners[owner], now))
    return await rows.of_owners(connection, owners.keys(), now) if without else known


def _new(sealer: sealing.Sealer, owner_id: str, tenant_id: str, now: datetime) -> domain.SigningKey:
    pair = signing.new_pair()
    return domain.SigningKey(
        id=ids.new(ids.Prefix.SIGNING_KEY),
        owner_id=owner_id,
        tenant_id=tenant_id,
        created_at=now,
        expires_at=None,
        sealed_secret=sealer.seal(pair.secret),
        sealed_private_key=sealer.seal(pair.private_key),
        public_key=pair.public_key,
    )


def _revealed(sealer: sealing.Sealer, keys: Sequence[domain.SigningKey]) -> Revealed:
    current = keys[0]
    before = max((key.expires_at for key in keys[1:] if key.expires_at), default=None)
    return Revealed(sealer.open(current.sealed_secret), current.public_key, current.created_at, before)

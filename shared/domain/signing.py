"""The keys events are signed with."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A secret for `v1` and a key pair for `v1a`, of a receiver or of a tenant (`owner_id`). `expires_at` is set on
    one that was replaced: until then events are signed with both.
    """

    id: str
    owner_id: str
    tenant_id: str
    created_at: datetime
    expires_at: datetime | None
    sealed_secret: str
    sealed_private_key: str
    public_key: str

"""Whoever owns keys, jobs and budgets."""

from dataclasses import dataclass
from datetime import datetime

# The house's own: its admin keys run the whole installation (they are operators).
HOUSE_ID = "ten_00000000000000000000000000"
# Stands for the admin key of the settings, which is no row.
ADMIN_KEY_ID = "key_00000000000000000000000000"

HEAVIEST = 100


@dataclass(frozen=True, slots=True)
class Tenant:
    """A row of `tenants`. `weight`: its share of the workers. `retention_seconds`: the longest outputs are kept
    (None: as the settings say; 0: for ever).
    """

    id: str
    name: str
    weight: int
    created_at: datetime
    retention_seconds: int | None = None
    disabled_at: datetime | None = None


def retention_seconds(asked: int | None, tenant: int | None, house: int) -> int:
    """How long a job's outputs are kept: what the job asks, but no longer than its tenant's (else the house's)
    setting. 0 means for ever.
    """
    longest = house if tenant is None else tenant
    if asked is None or asked == 0:
        return longest
    return min(asked, longest) if longest else asked

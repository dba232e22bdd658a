"""Tables as SQLAlchemy Core knows them; migrations make them. Importing this package loads all of them."""

from shared.db.tables import (
    attempts,
    audit,
    budgets,
    canaries,
    events,
    idempotency,
    jobs,
    keys,
    ledger,
    metadata,
    outputs,
    processes,
    tenants,
)

__all__ = [
    "attempts",
    "audit",
    "budgets",
    "canaries",
    "events",
    "idempotency",
    "jobs",
    "keys",
    "ledger",
    "metadata",
    "outputs",
    "processes",
    "tenants",
]

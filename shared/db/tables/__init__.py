"""Tables as SQLAlchemy Core knows them; migrations make them. Importing this package loads all of them."""

from shared.db.tables import (
    attempts,
    canaries,
    deliveries,
    endpoints,
    events,
    idempotency,
    jobs,
    metadata,
    outputs,
    processes,
    receivers,
    signing,
    tenants,
    tries,
)

__all__ = [
    "attempts",
    "canaries",
    "deliveries",
    "endpoints",
    "events",
    "idempotency",
    "jobs",
    "metadata",
    "outputs",
    "processes",
    "receivers",
    "signing",
    "tenants",
    "tries",
]

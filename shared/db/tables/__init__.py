"""Tables as SQLAlchemy Core knows them; migrations make them. Importing this package loads all of them."""

from shared.db.tables import attempts, canaries, events, idempotency, jobs, metadata, outputs, processes, tenants

__all__ = ["attempts", "canaries", "events", "idempotency", "jobs", "metadata", "outputs", "processes", "tenants"]

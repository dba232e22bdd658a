"""Who did what: one entry for every change of keys, tenants, budgets, and every cancel."""

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What was done; `noun.verb`."""

    TENANT_CREATED = "tenant.created"
    TENANT_CHANGED = "tenant.changed"
    KEY_CREATED = "key.created"
    KEY_CHANGED = "key.changed"
    KEY_ROTATED = "key.rotated"
    KEY_DISABLED = "key.disabled"
    BUDGET_CREATED = "budget.created"
    BUDGET_CHANGED = "budget.changed"
    BUDGET_DELETED = "budget.deleted"
    JOB_CANCELLED = "job.cancelled"
    JOB_DELETED = "job.deleted"
    RECEIVER_CREATED = "receiver.created"
    RECEIVER_CHANGED = "receiver.changed"
    RECEIVER_DELETED = "receiver.deleted"
    SECRET_ROTATED = "webhook_secret.rotated"  # noqa: S105 - what was done, not a secret
    CATALOG_RELOADED = "catalog.reloaded"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts in this request. `system`: nobody, we ourselves."""

    key_id: str = "system"
    request_id: str | None = None
    address: str | None = None


# Set once a request, when the key is known; so no service has to hand it through.
acting: ContextVar[Actor] = ContextVar("acting", default=Actor())  # noqa: B039 - frozen


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of `audit`. `tenant_id` is whose things were changed; `data` never holds a secret or a prompt."""

    id: str
    tenant_id: str
    actor: Actor
    action: Action
    target_id: str
    created_at: datetime
    data: dict[str, Any]

"""The offers of a model, with what is known of each lately."""

from dataclasses import dataclass
from datetime import datetime

from shared.db import endpoints as endpoint_rows
from shared.db import engine
from shared.db import jobs as job_rows
from shared.domain import endpoints, models, offers


@dataclass(frozen=True, slots=True)
class OfferView:
    """An offer with its health. `load` is the share of what it may be asked at once, over all its keys."""

    offer: offers.Offer
    available: bool
    health: endpoints.Health
    load: float
    stuck_seconds: float
    holds: tuple[endpoints.Hold, ...]


def of_model(
    catalog: models.Catalog, usable_providers: frozenset[str], snapshot: endpoints.Snapshot, model_id: str
) -> list[OfferView]:
    """The offers of a model in the catalog's order; none for a model it does not have."""
    return [_view(offer, usable_providers, snapshot) for offer in offers.of_model(catalog, model_id)]


async def queue_depth(db: engine.Database, tenant_id: str, model_id: str) -> int:
    """How many queued jobs of the tenant's ask for this model first; counted up to a thousand."""
    async with db.transaction() as connection:
        return await job_rows.count_queued(connection, tenant_id, model_id)


async def pasts(db: engine.Database, now: datetime) -> dict[str, tuple[endpoints.Hour, ...]]:
    """The last day of endpoints by name, hour by hour; those that nobody asked are left out. Reads only."""
    async with db.transaction() as connection:
        return await endpoint_rows.pasts(connection, now)


def _view(offer: offers.Offer, usable_providers: frozenset[str], snapshot: endpoints.Snapshot) -> OfferView:
    health, limits = snapshot.of(offer.name), offer.endpoint.limits
    keys = snapshot.credentials_of(offer.provider.name)
    return OfferView(
        offer=offer,
        available=offer.endpoint.enabled and offer.provider.name in usable_providers and bool(keys),
        health=health,
        load=round(health.in_flight / (limits.concurrency * max(len(keys), 1)), 3),
        stuck_seconds=endpoints.stuck_seconds(limits, offer.model.usual_seconds, health),
        holds=snapshot.holds_of(offer.name, offer.provider.name),
    )

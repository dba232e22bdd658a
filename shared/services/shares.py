"""How many rows of a batch may be in the air, beside those of other batches, tenants and keys."""

from shared.db import engine
from shared.db import releases as release_rows
from shared.db import slices as slice_rows
from shared.domain import batches, models, slices, states


async def room(connection: engine.Connection, batch: batches.Batch, supply: slices.Supply) -> int:
    """How many more rows may be in the air: the batch's own limit, the tenant's share of the model's, its key's."""
    own, of_model, tenants = await slice_rows.in_the_air(connection, batch)
    out = await release_rows.released(connection, batch.number)
    shared = _limit_of_model(batch, supply.catalog, supply.usable)
    limit = min(batch.wishes.max_concurrency or shared, max(shared // max(tenants, 1), 1))
    of_key = await slice_rows.room_of_key(connection, batch.tenant_id, batch.key_id)
    left = min(supply.room, limit - own - out, shared - of_model - out)
    return left if of_key is None else min(left, of_key)


def _limit_of_model(batch: batches.Batch, catalog: models.Catalog, usable: frozenset[str]) -> int:
    model = catalog.models.get(batch.recipe.model or "")
    if model is None:
        return slices.USUAL_CONCURRENCY
    limits = [offer.limits.concurrency for offer in model.endpoints if offer.enabled and offer.provider in usable]
    limit = max(limits, default=1)
    return limit if model.kind is states.Kind.TEXT else min(limit, slices.RELEASED_AT_ONCE)

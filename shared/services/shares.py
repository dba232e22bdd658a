"""How many rows of a batch may be in the air, beside those of other batches, tenants and keys."""

from shared.db import engine
from shared.db import slice_turns as turn_rows
from shared.db import slices as slice_rows
from shared.domain import batches, models, slices, states


async def room(
    connection: engine.Connection, batch: batches.Batch, supply: slices.Supply, slice_number: int, held: int
) -> int:
    """How many more rows may be in the air, where this slice has `held`: the batch's own limit, the tenant's share of
    the model's, its key's. Less than nought if there are too many.
    """
    air = await turn_rows.in_the_air(connection, batch, slice_number, held)
    shared = _limit_of_model(batch, supply.catalog, supply.usable)
    limit = min(batch.wishes.max_concurrency or shared, max(shared // max(air.tenants, 1), 1))
    left = min(limit - air.own - air.released, shared - air.of_model - air.released)
    if air.of_key is None:
        return left
    return min(left, air.of_key - await slice_rows.of_key(connection, batch.key_id, slice_number) - held)


def _limit_of_model(batch: batches.Batch, catalog: models.Catalog, usable: frozenset[str]) -> int:
    model = catalog.models.get(batch.recipe.model or "")
    if model is None:
        return slices.USUAL_CONCURRENCY
    limits = [offer.limits.concurrency for offer in model.endpoints if offer.enabled and offer.provider in usable]
    limit = max(limits, default=1)
    return limit if model.kind is states.Kind.TEXT else min(limit, slices.RELEASED_AT_ONCE)

"""The catalog, read once for routing: whatever does not depend on the request. Pure."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from shared.domain import models, pricing

Fares = tuple[tuple[models.Unit, Decimal], ...]
_NOTHING = Decimal(0)
_KEPT = 4


@dataclass(frozen=True, slots=True)
class Tariff:
    """An endpoint's prices by form. Forms that no price names are priced like the general one."""

    resolutions: frozenset[str]
    sizes: frozenset[str]
    fares: Mapping[tuple[str | None, str | None], Fares]

    def of(self, resolution: str | None, size: str | None) -> Fares:
        """USD by unit for outputs of this form; units that cost nothing are left out."""
        return self.fares[resolution if resolution in self.resolutions else None, size if size in self.sizes else None]


@dataclass(frozen=True, slots=True)
class Offer:
    """An endpoint with its model and provider. `slugs` are the names it answers to in `only`, `ignore` and `order`:
    its provider's own, and every base of it (`google` for `google/us-east5`).
    """

    name: str
    model: models.Model
    endpoint: models.Endpoint
    provider: models.Provider
    slugs: frozenset[str]
    takes: frozenset[str]
    tariff: Tariff


def cost_micros(fares: Fares, amounts: Mapping[models.Unit, Decimal]) -> int:
    """What so many units cost at these prices, as `pricing.estimate` would say."""
    return pricing.to_micros(sum([usd * amounts.get(unit, _NOTHING) for unit, usd in fares], _NOTHING))


def written(fares: Fares) -> dict[str, str]:
    """Prices by unit as they are kept with a job, which is charged by them, whatever the catalog says when it ends."""
    return {unit.value: format(usd, "f") for unit, usd in fares}


def of_model(catalog: models.Catalog, slug: str) -> tuple[Offer, ...]:
    """The offers of a model, in the catalog's order; none for a model it does not have."""
    return _index(catalog).get(slug, ())


# Catalogs hold dicts, so no hash can find them: the newest few are kept with their indexes and told apart by identity.
_indexes: list[tuple[models.Catalog, dict[str, tuple[Offer, ...]]]] = []


def _index(catalog: models.Catalog) -> dict[str, tuple[Offer, ...]]:
    for known, index in _indexes:
        if known is catalog:
            return index
    made = {slug: tuple(_offer(catalog, model, each) for each in model.endpoints) for slug, model in _models(catalog)}
    _indexes.insert(0, (catalog, made))
    del _indexes[_KEPT:]
    return made


def _models(catalog: models.Catalog) -> list[tuple[str, models.Model]]:
    return list(catalog.models.items())


def _offer(catalog: models.Catalog, model: models.Model, endpoint: models.Endpoint) -> Offer:
    provider = catalog.providers[endpoint.provider]
    return Offer(
        name=endpoint.name_for(model.id),
        model=model,
        endpoint=endpoint,
        provider=provider,
        slugs=frozenset(itertools.accumulate(provider.name.split("/"), "{}/{}".format)),
        takes=frozenset(model.parameters if endpoint.parameters is None else endpoint.parameters),
        tariff=_tariff(endpoint),
    )


def _tariff(endpoint: models.Endpoint) -> Tariff:
    resolutions = frozenset(price.resolution for price in endpoint.prices if price.resolution)
    sizes = frozenset(price.size for price in endpoint.prices if price.size)
    forms = itertools.product((None, *resolutions), (None, *sizes))
    return Tariff(resolutions, sizes, {(each, size): _fares(endpoint, each, size) for each, size in forms})


def _fares(endpoint: models.Endpoint, resolution: str | None, size: str | None) -> Fares:
    priced = ((unit, pricing.unit_price(endpoint, unit, resolution, size)) for unit in models.Unit)
    return tuple((unit, usd) for unit, usd in priced if usd)

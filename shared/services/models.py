"""What can be asked for."""

import difflib
from dataclasses import dataclass

from shared import errors
from shared.domain import models, offers, states


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model, and whether some endpoint of it can be used with the keys this installation has."""

    model: models.Model
    available: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which models to list; None is no condition. A provider's base name finds all its variants."""

    kind: states.Kind | None = None
    output_modalities: frozenset[states.Kind] | None = None
    provider: str | None = None
    parameter: str | None = None


def list_all(
    catalog: models.Catalog, usable_providers: frozenset[str], wanted: Wanted | None = None
) -> list[ModelView]:
    """The models of the catalog by slug that are wanted."""
    condition = wanted or Wanted()
    return [
        _view(model, usable_providers)
        for _, model in sorted(catalog.models.items())
        if condition.kind in (None, model.kind)
        and (condition.output_modalities is None or model.kind in condition.output_modalities)
        and any(_fits(offer, condition) for offer in offers.of_model(catalog, model.id))
    ]


def _fits(offer: offers.Offer, wanted: Wanted) -> bool:
    return (wanted.provider is None or wanted.provider in offer.slugs) and (
        wanted.parameter is None or wanted.parameter in offer.takes
    )


def get(catalog: models.Catalog, usable_providers: frozenset[str], model_id: str) -> ModelView:
    """One model. Raises NotFoundError, with near matches as `accepted`."""
    model = catalog.models.get(model_id)
    if model is None:
        near = difflib.get_close_matches(model_id[:200], catalog.models, n=5, cutoff=0.4)
        raise errors.NotFoundError("No model has this name.", accepted=near)
    return _view(model, usable_providers)


def _view(model: models.Model, usable_providers: frozenset[str]) -> ModelView:
    usable = any(endpoint.enabled and endpoint.provider in usable_providers for endpoint in model.endpoints)
    return ModelView(model, usable)

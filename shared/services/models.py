"""What can be asked for."""

import difflib
from dataclasses import dataclass

from shared import errors
from shared.domain import models, states


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model, and whether some endpoint of it can be used with the keys this installation has."""

    model: models.Model
    available: bool


def list_all(
    catalog: models.Catalog,
    usable_providers: frozenset[str],
    kind: states.Kind | None = None,
    provider: str | None = None,
) -> list[ModelView]:
    """The models of the catalog by slug; with `kind` and `provider` only theirs."""
    views = [_view(model, usable_providers) for _, model in sorted(catalog.models.items())]
    return [
        view
        for view in views
        if kind in (None, view.model.kind)
        and (provider is None or any(endpoint.provider == provider for endpoint in view.model.endpoints))
    ]


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

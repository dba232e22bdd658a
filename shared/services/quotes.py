"""What a request would cost, before it is sent."""

from dataclasses import dataclass

from shared import errors
from shared.domain import models, requests, requirements, routing, states
from shared.services import acceptance


@dataclass(frozen=True, slots=True)
class Quote:
    """The least and the most it should cost (micro-dollars), and the endpoint that would be asked first."""

    cheapest_micros: int
    dearest_micros: int
    first: str


def quote(
    catalog: models.Catalog, usable_providers: frozenset[str], kind: states.Kind, request: requests.AnyRequest
) -> Quote:
    """The price as accepting would reserve it. Raises what accepting would raise; stores nothing."""
    for slug in request.asked_models():
        model = catalog.models.get(slug)
        if model is None:
            raise acceptance.unknown_model(catalog, slug, "model")
        requirements.check(model, kind, request, "model")
    route = routing.decide(request, catalog, usable_providers)
    if not route.candidates:
        raise errors.NoEndpointsError
    cheapest = min(candidate.estimate_micros for candidate in route.candidates)
    return Quote(cheapest, route.dearest_micros(), route.candidates[0].name)

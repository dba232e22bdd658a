"""What a request would cost, how long it would take, and whom it would be sent to; before anybody pays."""

from dataclasses import dataclass

from shared.domain import endpoints, funnels, models, requests, routing, states
from shared.services import acceptance

# Fewer than so many measured times say less than the catalog does.
LEAST_SAMPLES = 5


@dataclass(frozen=True, slots=True)
class Expected:
    """A candidate with how long it takes, usually and at worst (seconds; None: not known)."""

    candidate: routing.Candidate
    seconds: float
    p95_seconds: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """The candidates in their order (at least one). Prices in micro-dollars."""

    candidates: tuple[Expected, ...]
    most_micros: int

    @property
    def least_micros(self) -> int:
        """At the cheapest candidate."""
        return min(each.candidate.estimate_micros for each in self.candidates)


@dataclass(frozen=True, slots=True)
class Preview:
    """The route a request would take, with the funnel."""

    route: routing.Route
    funnel: funnels.Funnel


def estimate(
    catalog: models.Catalog,
    usable_providers: frozenset[str],
    snapshot: endpoints.Snapshot,
    kind: states.Kind,
    request: requests.AnyRequest,
) -> Estimate:
    """What the request should cost and how long it should take. Stores nothing. Raises what accepting would raise."""
    acceptance.check_models(catalog, kind, request)
    route = acceptance.routed(request, catalog, usable_providers, snapshot)
    expected = tuple(_expected(candidate, snapshot.of(candidate.name)) for candidate in route.candidates)
    return Estimate(expected, route.dearest_micros())


def preview(
    catalog: models.Catalog,
    usable_providers: frozenset[str],
    snapshot: endpoints.Snapshot,
    kind: states.Kind,
    request: requests.AnyRequest,
) -> Preview:
    """Whom the request would be sent to, the likeliest first, and who is left out. Stores nothing. Raises
    UnknownModelError, WrongKindError, UnsupportedValueError; a request nobody can serve has an empty route.
    """
    acceptance.check_models(catalog, kind, request)
    route = routing.decide(request, catalog, usable_providers, snapshot=snapshot)
    return Preview(route, funnels.explain(request, catalog, usable_providers, route, snapshot))


def _expected(candidate: routing.Candidate, health: endpoints.Health) -> Expected:
    if health.succeeded < LEAST_SAMPLES or health.p50_seconds is None:
        return Expected(candidate, candidate.model.usual_seconds, None)
    return Expected(candidate, health.p50_seconds, health.p95_seconds)

"""Which endpoints may serve a request, in which order, and why not the others. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from shared.domain import models, pricing, requests


@dataclass(frozen=True, slots=True)
class Candidate:
    """An endpoint that may be asked, with the price it would have (micro-dollars)."""

    model: models.Model
    endpoint: models.Endpoint
    provider: models.Provider
    estimate_micros: int

    @property
    def name(self) -> str:
        """The endpoint's own name: `model@provider`."""
        return self.endpoint.name_for(self.model.id)


@dataclass(frozen=True, slots=True)
class Excluded:
    """An endpoint that may not be asked, and the filter that took it out."""

    endpoint: str
    reason: str


@dataclass(frozen=True, slots=True)
class Route:
    """The decision: candidates in the order they will be asked, and everything left out."""

    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...]

    def dearest_micros(self) -> int:
        """What must be reserved: the price of the dearest candidate, since any may serve."""
        return max((candidate.estimate_micros for candidate in self.candidates), default=0)


_Filter = tuple[str, Callable[[Candidate], bool]]


def decide(
    request: requests.AnyRequest, catalog: models.Catalog, usable_providers: frozenset[str], spent_micros: int = 0
) -> Route:
    """Order the endpoints of `model`, then of each of `models`. Models the catalog no longer has are left out.
    `spent_micros`: what the job's attempts have cost so far, for its `max_cost`.
    """
    kept: list[Candidate] = []
    excluded: list[Excluded] = []
    filters = _filters(request, usable_providers, spent_micros)
    for slug in request.asked_models():
        of_model: list[Candidate] = []
        for candidate in _offers(slug, request, catalog):
            reason = next((reason for reason, passes in filters if not passes(candidate)), None)
            if reason is None:
                of_model.append(candidate)
            else:
                excluded.append(Excluded(candidate.name, reason))
        kept += _in_order(of_model, request.provider)
    if not request.provider.allow_fallbacks:
        kept, spare = kept[:1], kept[1:]
        excluded += [Excluded(candidate.name, "allow_fallbacks") for candidate in spare]
    return Route(tuple(kept), tuple(excluded))


def _offers(slug: str, request: requests.AnyRequest, catalog: models.Catalog) -> Iterable[Candidate]:
    model = catalog.models.get(slug)
    for endpoint in model.endpoints if model else ():
        price = pricing.estimate(model, endpoint, request) if model else 0
        if model is not None:
            yield Candidate(model, endpoint, catalog.providers[endpoint.provider], price)


def _filters(request: requests.AnyRequest, usable_providers: frozenset[str], spent_micros: int) -> Sequence[_Filter]:
    options = request.provider
    left_micros = None if request.max_cost is None else pricing.to_micros(Decimal(str(request.max_cost))) - spent_micros
    return (
        ("disabled", lambda c: c.endpoint.enabled),
        ("no_credentials", lambda c: c.provider.name in usable_providers),
        ("only", lambda c: options.only is None or c.provider.name in options.only),
        ("ignore", lambda c: c.provider.name not in (options.ignore or ())),
        ("data_collection", lambda c: options.data_collection == "allow" or not c.endpoint.policy.trains),
        ("zdr", lambda c: not options.zdr or c.endpoint.policy.zdr),
        ("max_cost", lambda c: left_micros is None or c.estimate_micros <= left_micros),
    )


def _in_order(candidates: list[Candidate], options: requests.ProviderOptions) -> list[Candidate]:
    """Providers named in `order` first, then by price; equal ones keep the catalog's order."""
    named = {slug: place for place, slug in enumerate(options.order or ())}
    return sorted(candidates, key=lambda c: (named.get(c.provider.name, len(named)), c.estimate_micros))

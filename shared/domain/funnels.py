"""Why nobody can serve a request: what each filter took out, in order, and the nearest change that would help. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.domain import endpoints, filters, models, offers, pricing, requests, requirements, routing


@dataclass(frozen=True, slots=True)
class Step:
    """One filter: how many endpoints it took out of those that had come so far, and how many went on."""

    filter: filters.Filter
    removed: int
    left: int


@dataclass(frozen=True, slots=True)
class Nearest:
    """The endpoint that misses by least: the filters that keep it out, and a sentence about what to change."""

    endpoint: str
    filters: tuple[filters.Filter, ...]
    hint: str


@dataclass(frozen=True, slots=True)
class Funnel:
    """All endpoints of the models asked for, on their way through the filters."""

    endpoints: int
    steps: tuple[Step, ...]
    nearest: Nearest | None


def count(route: routing.Route) -> tuple[Step, ...]:
    """The filters that took something out of this route, in their order."""
    left = len(route.candidates) + len(route.excluded)
    steps = []
    for name in filters.Filter:
        removed = sum(1 for item in route.excluded if item.reason is name)
        left -= removed
        if removed:
            steps.append(Step(name, removed, left))
    return tuple(steps)


def explain(
    request: requests.AnyRequest,
    catalog: models.Catalog,
    usable_providers: frozenset[str],
    route: routing.Route,
    snapshot: endpoints.Snapshot = endpoints.NOTHING_KNOWN,
) -> Funnel:
    """The funnel of a route that came out empty (or did not: then nothing needs to change)."""
    checks = [*filters.of_operator(usable_providers, snapshot), *filters.of_caller(request)]
    offered = [offer for slug in request.asked_models() for offer in offers.of_model(catalog, slug)]
    nearest = None if route.candidates else _nearest(request, checks, offered)
    return Funnel(len(offered), count(route), nearest)


def _nearest(
    request: requests.AnyRequest, checks: Sequence[filters.Check], offered: Sequence[offers.Offer]
) -> Nearest | None:
    """What the caller can change goes before what only the operator can; then the fewest changes."""
    misses = [(offer, tuple(name for name, passes in checks if not passes(offer))) for offer in offered]
    if not misses:
        return None
    offer, failed = min(misses, key=lambda miss: (not filters.OPERATORS.isdisjoint(miss[1]), len(miss[1])))
    changes = " and ".join(_change(name, request, offer) for name in failed) or "ask for it in provider.order"
    return Nearest(offer.name, failed, f"{offer.name} could serve it: {changes}.")


def _change(name: filters.Filter, request: requests.AnyRequest, offer: offers.Offer) -> str:
    slug = offer.provider.name
    simple = {
        filters.Filter.DISABLED: "switch it on in the catalog",
        filters.Filter.NO_CREDENTIALS: f"set a key for {slug} in GENQUEUE_PROVIDER_KEYS",
        filters.Filter.CREDENTIALS_REJECTED: f"{slug} rejects every key; the operator must mend them",
        filters.Filter.ONLY: f"add {slug} to provider.only",
        filters.Filter.IGNORE: f"take {slug} out of provider.ignore",
        filters.Filter.DATA_COLLECTION: 'leave out provider.data_collection ("deny")',
        filters.Filter.ZDR: "leave out provider.zdr",
        filters.Filter.ALLOW_FALLBACKS: "leave out provider.allow_fallbacks (false), or name it in provider.order",
    }
    if name is filters.Filter.REQUIRE_PARAMETERS:
        missing = [each for each in requirements.asked_parameters(request) if each not in offer.takes]
        return f"leave out {', '.join(missing)}, or provider.require_parameters"
    if name is filters.Filter.MAX_COST:
        return f"raise max_cost to {format(filters.cost_micros(request, offer) / pricing.MICROS, 'f')}"
    if name is filters.Filter.MAX_PRICE:
        return _raise_caps(request, offer)
    return simple[name]


_CAP_NAMES = {
    models.Unit.SECOND: "second",
    models.Unit.IMAGE: "image",
    models.Unit.REQUEST: "request",
    models.Unit.INPUT_TOKEN: "prompt",
    models.Unit.OUTPUT_TOKEN: "completion",
}


def _raise_caps(request: requests.AnyRequest, offer: offers.Offer) -> str:
    capped = filters.caps(request.provider.max_price or requests.MaxPrice())
    over = [(unit, usd) for unit, usd in offer.tariff.of(*pricing.form(request)) if usd > capped.get(unit, usd)]
    told = [
        f"provider.max_price.{_CAP_NAMES[unit]} to {format(usd * 1_000_000 if unit.endswith('token') else usd, 'f')}"
        for unit, usd in over
    ]
    return f"raise {' and '.join(told)}"

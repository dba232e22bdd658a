"""What takes an endpoint out of a route. Filters are tried in the order of `Filter`; the first that fails is named."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import StrEnum

from shared.domain import endpoints, models, offers, pricing, requests, requirements

Check = tuple["Filter", Callable[[offers.Offer], bool]]
_PER_MILLION = Decimal(1_000_000)


class Filter(StrEnum):
    """Why an endpoint may not be asked. `allow_fallbacks` is the last: it could serve, but is not wanted."""

    DISABLED = "disabled"
    NO_CREDENTIALS = "no_credentials"
    CREDENTIALS_REJECTED = "credentials_rejected"
    ONLY = "only"
    IGNORE = "ignore"
    DATA_COLLECTION = "data_collection"
    ZDR = "zdr"
    REQUIRE_PARAMETERS = "require_parameters"
    MAX_PRICE = "max_price"
    MAX_COST = "max_cost"
    ALLOW_FALLBACKS = "allow_fallbacks"


# Only the operator can do something about these.
OPERATORS = frozenset({Filter.DISABLED, Filter.NO_CREDENTIALS, Filter.CREDENTIALS_REJECTED})


def of_operator(usable_providers: frozenset[str], snapshot: endpoints.Snapshot) -> list[Check]:
    """What this installation can ask at all."""
    return [
        (Filter.DISABLED, lambda offer: offer.endpoint.enabled),
        (Filter.NO_CREDENTIALS, lambda offer: offer.provider.name in usable_providers),
        (Filter.CREDENTIALS_REJECTED, lambda offer: bool(snapshot.credentials_of(offer.provider.name))),
    ]


def of_caller(request: requests.AnyRequest) -> list[Check]:
    """What the request itself rules out. The policy ones fail closed: what an endpoint does not promise, it breaks."""
    options = request.provider
    checks: list[Check] = []
    if options.only is not None:
        wanted = frozenset(options.only)
        checks.append((Filter.ONLY, lambda offer: not wanted.isdisjoint(offer.slugs)))
    if options.ignore:
        unwanted = frozenset(options.ignore)
        checks.append((Filter.IGNORE, lambda offer: unwanted.isdisjoint(offer.slugs)))
    if options.data_collection == "deny":
        checks.append((Filter.DATA_COLLECTION, lambda offer: not offer.endpoint.policy.trains))
    if options.zdr:
        # One that promises zero retention and says it retains is not believed.
        checks.append((Filter.ZDR, lambda offer: offer.endpoint.policy.zdr and not offer.endpoint.policy.retains))
    if options.require_parameters:
        asked = frozenset(requirements.asked_parameters(request))
        checks.append((Filter.REQUIRE_PARAMETERS, lambda offer: asked <= offer.takes))
    if options.max_price is not None:
        checks.append((Filter.MAX_PRICE, _within(request, options.max_price)))
    if request.max_cost is not None:
        most_micros = pricing.to_micros(Decimal(str(request.max_cost)))
        checks.append((Filter.MAX_COST, lambda offer: cost_micros(request, offer) <= most_micros))
    return checks


def cost_micros(request: requests.AnyRequest, offer: offers.Offer) -> int:
    """The most this request should cost there, in micro-dollars."""
    fares = offer.tariff.of(*pricing.form(request))
    return offers.cost_micros(fares, pricing.expected_amounts(offer.model, request))


def caps(most: requests.MaxPrice) -> dict[models.Unit, Decimal]:
    """The most one unit may cost, in USD. Tokens are capped by the million."""
    told = {
        models.Unit.SECOND: most.second,
        models.Unit.IMAGE: most.image,
        models.Unit.REQUEST: most.request,
        models.Unit.INPUT_TOKEN: most.prompt,
        models.Unit.OUTPUT_TOKEN: most.completion,
    }
    exact = {unit: Decimal(str(usd)) for unit, usd in told.items() if usd is not None}
    return {unit: usd / _PER_MILLION if unit.endswith("token") else usd for unit, usd in exact.items()}


def _within(request: requests.AnyRequest, most: requests.MaxPrice) -> Callable[[offers.Offer], bool]:
    capped, form = caps(most), pricing.form(request)
    return lambda offer: all(usd <= capped.get(unit, usd) for unit, usd in offer.tariff.of(*form))


def first_failed(checks: Sequence[Check], offer: offers.Offer) -> Filter | None:
    """The first filter this offer does not pass."""
    for name, passes in checks:
        if not passes(offer):
            return name
    return None

"""What a request will cost, and what it did cost. Everything in integer micro-dollars, rounded up."""

from decimal import ROUND_CEILING, Decimal

from shared.domain import models, outputs, requests

MICROS = Decimal(1_000_000)
CHARACTERS_PER_TOKEN = 4
DEFAULT_OUTPUT_TOKENS = 1024
DEFAULT_SECONDS = 5

_AMOUNTS = dict[models.Unit, Decimal]


def to_micros(usd: Decimal) -> int:
    """Micro-dollars, rounded up: a price is never understated."""
    return int((usd * MICROS).to_integral_value(ROUND_CEILING))


def estimate(model: models.Model, endpoint: models.Endpoint, request: requests.AnyRequest) -> int:
    """The most this request should cost at this endpoint, in micro-dollars."""
    return _price(endpoint, request, expected_amounts(model, request))


def actual(
    model: models.Model, endpoint: models.Endpoint, request: requests.AnyRequest, usage: outputs.Usage | None
) -> int:
    """What a finished attempt cost: the provider's own bill, else its token counts, else the estimate."""
    if usage is not None and usage.cost_micros is not None:
        return usage.cost_micros
    amounts = expected_amounts(model, request)
    if usage is not None and (usage.input_tokens or usage.output_tokens):
        amounts[models.Unit.INPUT_TOKEN] = Decimal(usage.input_tokens)
        amounts[models.Unit.OUTPUT_TOKEN] = Decimal(usage.output_tokens)
    return _price(endpoint, request, amounts)


def at_prices(endpoint: models.Endpoint, prices: dict[str, str]) -> models.Endpoint:
    """The endpoint as it was when these prices were written down (`offers.written`)."""
    frozen = tuple(models.Price(unit=models.Unit(unit), usd=Decimal(usd)) for unit, usd in prices.items())
    return endpoint.model_copy(update={"prices": frozen})


def with_what_is_left(request: requests.AnyRequest, spent_micros: int) -> requests.AnyRequest:
    """The request with its `max_cost` less what was spent on it."""
    if request.max_cost is None or not spent_micros:
        return request
    left = max(Decimal(str(request.max_cost)) - spent_micros / MICROS, Decimal(0))
    return request.model_copy(update={"max_cost": float(left)})


def default_seconds(model: models.Model) -> int:
    """How long a video is when the caller does not say: the model's first duration."""
    return model.durations[0] if model.durations else DEFAULT_SECONDS


def expected_amounts(model: models.Model, request: requests.AnyRequest) -> dict[models.Unit, Decimal]:
    """How many of each unit a request should come to at most. The same for every endpoint of the model."""
    amounts: _AMOUNTS = {models.Unit.REQUEST: Decimal(1)}
    if isinstance(request, requests.VideoRequest):
        seconds = request.duration or default_seconds(model)
        amounts[models.Unit.SECOND] = Decimal(seconds * request.n)
    elif isinstance(request, requests.ImageRequest):
        amounts[models.Unit.IMAGE] = Decimal(request.n)
    elif isinstance(request, requests.EmbeddingRequest):
        # Rounded up for each text, as each is cut into tokens by itself.
        tokens = sum(len(text) // CHARACTERS_PER_TOKEN + 1 for text in request.input)
        amounts[models.Unit.INPUT_TOKEN] = Decimal(tokens)
    else:
        amounts[models.Unit.INPUT_TOKEN] = Decimal(request.characters() // CHARACTERS_PER_TOKEN + 1)
        amounts[models.Unit.OUTPUT_TOKEN] = Decimal(request.max_tokens or DEFAULT_OUTPUT_TOKENS)
    return amounts


def _price(endpoint: models.Endpoint, request: requests.AnyRequest, amounts: _AMOUNTS) -> int:
    asked = form(request)
    return to_micros(sum([unit_price(endpoint, unit, *asked) * amount for unit, amount in amounts.items()], Decimal(0)))


def form(request: requests.AnyRequest) -> tuple[str | None, str | None]:
    """The resolution and size a request names; prices may depend on them."""
    if isinstance(request, requests.VideoRequest):
        return request.resolution, request.size
    return (None, request.size) if isinstance(request, requests.ImageRequest) else (None, None)


def unit_price(endpoint: models.Endpoint, unit: models.Unit, resolution: str | None, size: str | None) -> Decimal:
    """USD for one unit of this form: the most particular price that fits; of several equal ones the dearest."""
    fitting = [
        price
        for price in endpoint.prices
        if price.unit == unit and price.resolution in (None, resolution) and price.size in (None, size)
    ]
    if len(fitting) < 2:
        return fitting[0].usd if fitting else Decimal(0)
    return max(fitting, key=lambda price: (_particularity(price), price.usd)).usd


def _particularity(price: models.Price) -> int:
    return (price.resolution is not None) + (price.size is not None)

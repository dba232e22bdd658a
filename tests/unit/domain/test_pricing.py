"""Prices: the most particular one that fits, rounded up, in micro-dollars."""

from decimal import Decimal

import pytest

from shared.domain import models, outputs, pricing, requests, states
from tests.unit.domain import build

SECOND = models.Unit.SECOND


def priced(*prices: models.Price) -> models.Model:
    return build.model("a/one", build.endpoint("p", prices=prices), durations=(4, 8), resolutions=("720p", "1080p"))


def test_the_particular_price_wins() -> None:
    model = priced(
        models.Price(unit=SECOND, usd=Decimal("0.10")),
        models.Price(unit=SECOND, usd=Decimal("0.30"), resolution="1080p"),
    )
    plain, fine = build.video(duration=8), build.video(duration=8, resolution="1080p", n=2)
    assert pricing.estimate(model, model.endpoints[0], plain) == 800_000
    assert pricing.estimate(model, model.endpoints[0], fine) == 4_800_000


def test_an_unsaid_duration_is_the_models_first() -> None:
    model = priced(models.Price(unit=SECOND, usd=Decimal("0.10")))
    assert pricing.estimate(model, model.endpoints[0], build.video()) == 400_000


@pytest.mark.parametrize(("usd", "micros"), [("0.0000001", 1), ("1", 1_000_000), ("0", 0), ("0.0000010", 1)])
def test_prices_round_up(usd: str, micros: int) -> None:
    assert pricing.to_micros(Decimal(usd)) == micros


def test_the_providers_own_bill_wins_then_its_counts() -> None:
    prices = (
        models.Price(unit=models.Unit.INPUT_TOKEN, usd=Decimal("0.000001")),
        models.Price(unit=models.Unit.OUTPUT_TOKEN, usd=Decimal("0.000002")),
    )
    model = build.model("a/text", build.endpoint("p", prices=prices), kind=states.Kind.TEXT, durations=())
    request = requests.TextRequest(model="a/text", prompt="x" * 400)
    offer = model.endpoints[0]
    assert pricing.actual(model, offer, request, outputs.Usage(cost_micros=7)) == 7
    assert pricing.actual(model, offer, request, outputs.Usage(input_tokens=10, output_tokens=5)) == 20
    assert pricing.actual(model, offer, request, None) == 101 + 2 * 1024

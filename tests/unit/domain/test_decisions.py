"""Decisions are read back as they were made; prices of offers are those of the price list."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.domain import asks, decisions, models, offers, pricing, routing
from tests.unit.domain import build

RESOLUTIONS = ("720p", "1080p")


def test_a_decision_survives_the_database() -> None:
    offered = (build.endpoint("p", "1"), build.endpoint("q", "2", parameters=()), build.endpoint("r", enabled=False))
    catalog = build.catalog(build.model("a/one", *offered, parameters=("seed",)))
    route = routing.decide(build.video(seed=1), catalog, frozenset("pqr"))
    read = decisions.read(decisions.store(route, route.candidates[1], 3))
    assert (read.attempt, read.endpoint) == (3, "a/one@q")
    assert [(each.endpoint, each.why, each.dropped) for each in read.candidates] == [
        ("a/one@p", "weight", ()),
        ("a/one@q", "weight", ("seed",)),
    ]
    assert [each.estimate_micros for each in read.candidates] == [4_000_000, 8_000_000]
    assert read.excluded == route.excluded


prices = st.builds(
    models.Price,
    unit=st.sampled_from([models.Unit.SECOND, models.Unit.REQUEST]),
    usd=st.decimals(0, 10, places=9),
    resolution=st.sampled_from([None, *RESOLUTIONS]),
    size=st.sampled_from([None, "640x360", "1280x720"]),
)


@given(
    st.lists(prices, max_size=8),
    st.sampled_from([None, *RESOLUTIONS, "480p"]),
    st.sampled_from([None, "640x360", "1920x1080"]),
)
def test_a_tariff_says_what_the_price_list_says(
    listed: list[models.Price], resolution: str | None, size: str | None
) -> None:
    model = build.model("a/one", build.endpoint("p", prices=tuple(listed)))
    request = build.video(duration=4, resolution=resolution, size=size)
    [offer] = offers.of_model(build.catalog(model), "a/one")
    told = offers.cost_micros(offer.tariff.of(resolution, size), pricing.expected_amounts(model, request))
    assert told == pricing.estimate(model, model.endpoints[0], request)


def test_what_an_endpoint_does_not_take_is_not_sent_to_it() -> None:
    request = build.video(seed=7, generate_audio=True)
    deaf = asks.without(request, build.endpoint("p", parameters=("seed",)))
    assert (getattr(deaf, "seed", None), getattr(deaf, "generate_audio", None)) == (7, None)
    assert asks.without(request, build.endpoint("p")) is request
    assert asks.without(request, None) is request


def test_a_price_below_a_millionth_still_counts() -> None:
    price = models.Price(unit=models.Unit.SECOND, usd=Decimal("0.0000001"))
    model = build.model("a/one", build.endpoint("p", prices=(price,)))
    [offer] = offers.of_model(build.catalog(model), "a/one")
    assert offers.cost_micros(offer.tariff.of(None, None), {models.Unit.SECOND: Decimal(4)}) == 1

"""Who may serve a request, in which order, and who never does."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain import endpoints, models, pricing, rankings, requests, routing
from tests.unit.domain import build

PROVIDERS = ("acme", "beta/eu", "beta/us", "gamma", "delta")
EVERYBODY = frozenset(PROVIDERS)


def names(route: routing.Route) -> list[str]:
    return [candidate.provider.name for candidate in route.candidates]


def decide(catalog: models.Catalog, seed: str = "", **options: Any) -> routing.Route:
    return routing.decide(build.video(provider=options), catalog, EVERYBODY, seed=seed)


def broken(*providers: str, breaker: endpoints.Breaker = endpoints.Breaker.OPEN, **fields: Any) -> endpoints.Snapshot:
    health = endpoints.Health(breaker=breaker, **fields)
    return endpoints.Snapshot(health={f"a/one@{name}": health for name in providers})


policies = st.builds(models.Policy, retains=st.booleans(), trains=st.booleans(), zdr=st.booleans())
slugs = st.sampled_from([*PROVIDERS, "beta", "nobody"])
prices = st.integers(0, 500).map(lambda cents: str(Decimal(cents) / 100))


@st.composite
def catalogs(draw: st.DrawFn) -> models.Catalog:
    offered = [
        build.endpoint(
            name,
            draw(prices),
            policy=draw(policies),
            enabled=draw(st.booleans()),
            parameters=draw(st.sampled_from([None, (), ("seed",)])),
        )
        for name in draw(st.permutations(PROVIDERS))
    ]
    return build.catalog(build.model("a/one", *offered, parameters=("seed", "generate_audio")))


options = st.builds(
    requests.ProviderOptions,
    order=st.none() | st.lists(slugs, max_size=3),
    only=st.none() | st.lists(slugs, max_size=4),
    ignore=st.none() | st.lists(slugs, max_size=3),
    allow_fallbacks=st.booleans(),
    require_parameters=st.booleans(),
    data_collection=st.sampled_from(["allow", "deny"]),
    zdr=st.booleans(),
    sort=st.sampled_from([None, "price", "latency", "throughput"]),
    max_price=st.none() | st.builds(requests.MaxPrice, second=st.floats(0, 5)),
)
snapshots = st.dictionaries(
    st.sampled_from(PROVIDERS).map("a/one@{}".format),
    st.builds(
        endpoints.Health,
        succeeded=st.integers(0, 50),
        failed=st.integers(0, 50),
        p50_seconds=st.none() | st.floats(0.1, 900),
        in_flight=st.integers(0, 3),
        breaker=st.sampled_from(endpoints.Breaker),
    ),
).map(lambda health: endpoints.Snapshot(health=health))


def answers_to(provider: str, slug: str) -> bool:
    return provider == slug or provider.startswith(f"{slug}/")


def allowed(offer: models.Endpoint, chosen: requests.ProviderOptions, usable: frozenset[str]) -> bool:
    """The filters said once more, in other words."""
    takes = ("seed", "generate_audio") if offer.parameters is None else offer.parameters
    return (
        offer.enabled
        and offer.provider in usable
        and (chosen.only is None or any(answers_to(offer.provider, slug) for slug in chosen.only))
        and not any(answers_to(offer.provider, slug) for slug in chosen.ignore or ())
        and (chosen.data_collection == "allow" or not offer.policy.trains)
        and (not chosen.zdr or (offer.policy.zdr and not offer.policy.retains))
        and (not chosen.require_parameters or "seed" in takes)
        and (
            chosen.max_price is None
            or chosen.max_price.second is None
            or offer.prices[0].usd <= Decimal(str(chosen.max_price.second))
        )
    )


@given(catalogs(), options, snapshots, st.frozensets(st.sampled_from(PROVIDERS)), st.text(max_size=3))
def test_whoever_is_filtered_out_is_never_chosen_and_everybody_is_accounted_for(
    catalog: models.Catalog,
    chosen: requests.ProviderOptions,
    snapshot: endpoints.Snapshot,
    usable: frozenset[str],
    seed: str,
) -> None:
    request = build.video(seed=1, provider=chosen)
    route = routing.decide(request, catalog, usable, snapshot=snapshot, seed=seed)
    offered = {offer.provider: offer for offer in catalog.models["a/one"].endpoints}
    may = {name for name, offer in offered.items() if allowed(offer, chosen, usable)}
    spare = {item.endpoint for item in route.excluded if item.reason == "allow_fallbacks"}
    assert set(names(route)) | {name.removeprefix("a/one@") for name in spare} == may
    assert len(route.candidates) + len(route.excluded) == len(offered)
    assert route == routing.decide(request, catalog, usable, snapshot=snapshot, seed=seed)
    if chosen.allow_fallbacks:
        assert not spare
    elif not chosen.order:
        assert len(route.candidates) == min(len(may), 1)


@given(catalogs(), st.text(max_size=5))
def test_reserved_is_the_price_of_the_dearest_that_may_serve(catalog: models.Catalog, seed: str) -> None:
    for fallbacks in (True, False):
        request = build.video(provider={"allow_fallbacks": fallbacks})
        route = routing.decide(request, catalog, EVERYBODY, seed=seed)
        model = catalog.models["a/one"]
        able = [pricing.estimate(model, offer, request) for offer in model.endpoints if offer.enabled]
        assert route.dearest_micros() == max(able, default=0)


@given(catalogs(), st.text(max_size=5))
def test_sorted_by_price(catalog: models.Catalog, seed: str) -> None:
    found = [candidate.estimate_micros for candidate in decide(catalog, seed, sort="price").candidates]
    assert found == sorted(found)


FLAT = build.catalog(build.model("a/one", *(build.endpoint(name, "1") for name in PROVIDERS)))


def test_only_meets_ignore() -> None:
    route = decide(FLAT, only=["beta", "gamma"], ignore=["beta/us"])
    assert sorted(names(route)) == ["beta/eu", "gamma"]
    assert decide(FLAT, only=[]).candidates == ()
    assert decide(FLAT, only=["beta"], ignore=["beta"]).candidates == ()


def test_order_goes_first_and_the_others_stay_as_backups() -> None:
    route = decide(FLAT, "job_1", order=["gamma", "beta"])
    assert names(route)[0] == "gamma"
    assert set(names(route)[1:3]) == {"beta/eu", "beta/us"}
    assert len(route.candidates) == len(PROVIDERS)
    assert names(decide(FLAT, order=["gamma", "beta/us"], allow_fallbacks=False)) == ["gamma", "beta/us"]


def test_without_fallbacks_the_first_asked_stays_the_only_one() -> None:
    request = build.video(provider={"allow_fallbacks": False})
    for name in PROVIDERS:
        route = routing.decide(request, FLAT, EVERYBODY, snapshot=broken(name), asked=[f"a/one@{name}"])
        assert names(route) == [name]


def test_policies_fail_closed() -> None:
    silent = build.catalog(build.model("a/one", build.endpoint("acme")))
    assert decide(silent, data_collection="deny").candidates == ()
    assert decide(silent, zdr=True).candidates == ()
    liar = build.endpoint("acme", policy=models.Policy(retains=True, zdr=True))
    assert decide(build.catalog(build.model("a/one", liar)), zdr=True).candidates == ()


def test_each_model_is_tried_in_turn() -> None:
    catalog = build.catalog(
        build.model("a/one", build.endpoint("acme", "9")), build.model("a/two", build.endpoint("delta", "1"))
    )
    route = routing.decide(build.video(models=["a/two", "a/gone"]), catalog, EVERYBODY)
    assert [candidate.name for candidate in route.candidates] == ["a/one@acme", "a/two@delta"]


def test_an_outage_moves_an_endpoint_behind_everybody_of_every_model() -> None:
    catalog = build.catalog(
        build.model("a/one", build.endpoint("acme"), build.endpoint("gamma")),
        build.model("a/two", build.endpoint("delta")),
    )
    for chosen in ({}, {"sort": "price"}, {"order": ["acme"]}):
        request = build.video(models=["a/two"], provider=chosen)
        route = routing.decide(request, catalog, EVERYBODY, snapshot=broken("acme"), seed="job_1")
        assert names(route) == ["gamma", "delta", "acme"]
        assert route.candidates[-1].why is rankings.Why.BROKEN


def test_one_probe_goes_to_a_half_open_endpoint() -> None:
    half = endpoints.Breaker.HALF_OPEN
    free = routing.decide(build.video(), FLAT, EVERYBODY, snapshot=broken("delta", breaker=half), seed="job_1")
    assert (names(free)[0], free.candidates[0].why, free.candidates[0].concurrency) == ("delta", "probe", 1)
    busy = routing.decide(
        build.video(), FLAT, EVERYBODY, snapshot=broken("delta", breaker=half, in_flight=1), seed="job_1"
    )
    assert names(busy)[-1] == "delta"


def test_the_endpoint_that_served_the_parent_is_preferred_unless_the_caller_chooses() -> None:
    sticky = "a/one@delta"
    assert names(routing.decide(build.video(), FLAT, EVERYBODY, sticky=sticky, seed="job_1"))[0] == "delta"
    ordered = build.video(provider={"order": ["acme"]})
    assert names(routing.decide(ordered, FLAT, EVERYBODY, sticky=sticky))[0] == "acme"
    out = routing.decide(build.video(), FLAT, EVERYBODY, sticky=sticky, snapshot=broken("delta"))
    assert names(out)[-1] == "delta"


def firsts(catalog: models.Catalog, snapshot: endpoints.Snapshot = endpoints.NOTHING_KNOWN) -> Counter[str]:
    routes = (
        routing.decide(build.video(), catalog, EVERYBODY, snapshot=snapshot, seed=f"job_{number}")
        for number in range(4000)
    )
    return Counter(names(route)[0] for route in routes)


def test_lots_follow_the_inverse_square_of_the_price() -> None:
    pair = build.catalog(build.model("a/one", build.endpoint("acme", "1"), build.endpoint("delta", "2")))
    share = firsts(pair)["delta"] / 4000
    # 1 in 5 by weight, and at most every second of the explored ones more.
    assert 0.17 < share < 0.2 + rankings.EXPLORED_SHARE + 0.03


def test_lots_follow_recent_success() -> None:
    pair = build.catalog(build.model("a/one", build.endpoint("acme", "1"), build.endpoint("delta", "1")))
    poor = endpoints.Snapshot(health={"a/one@acme": endpoints.Health(succeeded=10, failed=30)})
    assert firsts(pair, poor)["acme"] / 4000 < 0.15


def test_exploring_is_rare_and_never_dear() -> None:
    """Ten times as dear: one in a hundred by weight, and never by exploring."""
    prices = {"acme": "1", "gamma": "1.9", "delta": "10"}
    catalog = build.catalog(build.model("a/one", *(build.endpoint(name, usd) for name, usd in prices.items())))
    explored: Counter[str] = Counter()
    for number in range(4000):
        route = routing.decide(build.video(), catalog, EVERYBODY, seed=f"job_{number}")
        explored.update(c.provider.name for c in route.candidates if c.why is rankings.Why.EXPLORED)
    assert explored["delta"] == 0
    assert 0 < explored.total() < 4000 * rankings.EXPLORED_SHARE * 1.5
    assert set(explored) == {"acme", "gamma"}


def test_a_rejected_key_is_left_out_and_an_endpoint_without_keys_too() -> None:
    hold = endpoints.Hold("acme", 0, endpoints.HoldReason.AUTH, build.NOW + timedelta(hours=1), fingerprint="first")
    keys = {"acme": ("first", "second"), "delta": ("first",)}
    one = endpoints.usable_credentials(keys, (hold,), build.NOW)
    assert one == {"acme": (1,), "delta": (0,)}
    changed = endpoints.usable_credentials({"acme": ("new",)}, (hold,), build.NOW)
    assert changed == {"acme": (0,)}
    none = endpoints.Snapshot(credentials={"acme": ()})
    route = routing.decide(build.video(), FLAT, EVERYBODY, snapshot=none)
    assert [item.reason for item in route.excluded] == ["credentials_rejected"]


def test_what_an_endpoint_would_drop_is_told_and_puts_it_behind() -> None:
    offered = (build.endpoint("acme", "1", parameters=()), build.endpoint("delta", "5"))
    catalog = build.catalog(build.model("a/one", *offered, parameters=("seed",)))
    route = routing.decide(build.video(seed=7), catalog, EVERYBODY, seed="job_1")
    assert [(c.provider.name, c.dropped) for c in route.candidates] == [("delta", ()), ("acme", ("seed",))]
    cheapest = routing.decide(build.video(seed=7, provider={"sort": "price"}), catalog, EVERYBODY)
    assert names(cheapest)[0] == "acme"

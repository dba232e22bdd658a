"""A request nobody can serve is told why, and what would help."""

from typing import Any

from shared.domain import funnels, models, routing
from tests.unit.domain import build

OPEN = models.Policy(retains=False, trains=False, zdr=True)
CATALOG = build.catalog(
    build.model(
        "a/one",
        build.endpoint("acme", "1"),
        build.endpoint("beta", "2", policy=OPEN),
        build.endpoint("gamma", "3", enabled=False),
        build.endpoint("delta", "4", policy=OPEN, parameters=()),
        parameters=("seed",),
    )
)
USABLE = frozenset({"acme", "beta", "gamma", "delta"})


def explain(usable: frozenset[str] = USABLE, **options: Any) -> funnels.Funnel:
    request = build.video(seed=1, provider=options)
    return funnels.explain(request, CATALOG, usable, routing.decide(request, CATALOG, usable))


def told(funnel: funnels.Funnel) -> list[tuple[str, int, int]]:
    return [(step.filter.value, step.removed, step.left) for step in funnel.steps]


def hint(funnel: funnels.Funnel) -> str:
    assert funnel.nearest is not None
    return funnel.nearest.hint


def test_the_filters_tell_how_many_each_took_out_in_order() -> None:
    funnel = explain(zdr=True, require_parameters=True, max_price={"second": 1.5})
    assert told(funnel) == [("disabled", 1, 3), ("zdr", 1, 2), ("require_parameters", 1, 1), ("max_price", 1, 0)]
    assert hint(funnel) == "a/one@acme could serve it: leave out provider.zdr."


def test_the_nearest_change_names_what_to_set() -> None:
    assert (
        hint(explain(max_price={"second": 0.5})) == "a/one@acme could serve it: raise provider.max_price.second to 1."
    )
    assert hint(explain(only=["nobody"])) == "a/one@acme could serve it: add acme to provider.only."
    assert "leave out seed, or" in hint(explain(only=["delta"], ignore=["acme", "beta"], require_parameters=True))
    assert "GENQUEUE_PROVIDER_KEYS" in hint(explain(usable=frozenset()))


def test_what_can_be_served_needs_no_change() -> None:
    assert explain().nearest is None

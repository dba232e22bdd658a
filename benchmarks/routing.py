"""Routing decisions a second, on one core: 10,000 random requests, 400 models, 60 providers.

The yardstick is what a program that knew nothing better would do with the same endpoints: dump each request as JSON
and sort its endpoints by price, with the prices already there.
"""

import json
import random
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from shared.domain import endpoints, models, requests, routing

REQUESTS, MODELS, PROVIDERS = 10_000, 400, 60
NEEDED_PER_SECOND = 5_000

dice = random.Random(20_261_122)  # noqa: S311 - a benchmark of chance, not of secrets
NAMES = [f"provider-{number}" + ("" if number % 3 else "/eu") for number in range(PROVIDERS)]


def endpoint(provider: str) -> models.Endpoint:
    """One offer with a price by resolution."""
    usual = models.Price(unit=models.Unit.SECOND, usd=Decimal(dice.randint(1, 50)) / 100)
    large = models.Price(unit=models.Unit.SECOND, usd=usual.usd * 2, resolution="1080p")
    return models.Endpoint(
        provider=provider,
        upstream_model="m",
        prices=(usual, large),
        limits=models.Limits(concurrency=dice.randint(1, 50), requests_per_minute=600),
        policy=models.Policy(trains=dice.random() < 0.3, retains=dice.random() < 0.3, zdr=dice.random() < 0.5),
        parameters=dice.choice([None, (), ("seed",)]),
    )


def model(slug: str) -> models.Model:
    """A model offered by one to twelve providers."""
    offered = tuple(endpoint(name) for name in dice.sample(NAMES, dice.randint(1, 12)))
    return models.Model.model_validate(
        {"id": slug, "kind": "video", "name": slug, "durations": (4, 8), "resolutions": ("720p", "1080p")}
        | {"parameters": ("seed",), "endpoints": offered}
    )


CATALOG = models.Catalog(
    providers={name: models.Provider(name=name, adapter="sandbox") for name in NAMES},
    models={f"m/{number}": model(f"m/{number}") for number in range(MODELS)},
)
USABLE = frozenset(dice.sample(NAMES, PROVIDERS - 5))


def health() -> endpoints.Health:
    """Mostly well."""
    breaker = dice.choices(list(endpoints.Breaker), [90, 7, 3])[0]
    return endpoints.Health(dice.randint(0, 90), dice.randint(0, 9), dice.uniform(1, 90), 99.0, breaker=breaker)


SNAPSHOT = endpoints.Snapshot(
    health={each.name_for(slug): health() for slug, entry in CATALOG.models.items() for each in entry.endpoints}
)
WISHES: dict[str, Callable[[], Any]] = {
    "order": lambda: dice.sample(NAMES, 3),
    "only": lambda: dice.sample(NAMES, 30),
    "ignore": lambda: dice.sample(NAMES, 10),
    "sort": lambda: dice.choice(["price", "latency", "throughput"]),
    "max_price": lambda: {"second": dice.uniform(0.1, 0.6)},
    "zdr": lambda: True,
    "data_collection": lambda: "deny",
    "require_parameters": lambda: True,
    "allow_fallbacks": lambda: False,
}


def request() -> requests.VideoRequest:
    """One to three models, and now and then a wish of each sort."""
    slugs = [f"m/{dice.randrange(MODELS)}" for _ in range(dice.choice([1, 1, 2, 3]))]
    wishes = {name: wish() for name, wish in WISHES.items() if dice.random() < 0.15}
    return requests.VideoRequest.model_validate(
        {"model": slugs[0], "models": slugs[1:], "prompt": "a heron", "seed": 1, "provider": wishes}
        | {"resolution": dice.choice(["720p", "1080p"])}
    )


def yardstick(asked: requests.VideoRequest, plain: dict[str, list[dict[str, Any]]]) -> int:
    """Dump the request and sort its endpoints by price."""
    offered = [offer for slug in asked.asked_models() for offer in plain[slug]]
    return len(json.dumps([asked.model_dump(mode="json"), sorted(offered, key=lambda offer: offer["usd"])]))


def per_second(work: Callable[[int], object]) -> float:
    """On this process's own CPU time: others on the machine do not count."""
    began = time.process_time()
    for number in range(REQUESTS):
        work(number)
    return REQUESTS / (time.process_time() - began)


def main() -> None:
    """Print the ratio. Fails below the number that is needed."""
    asked = [request() for _ in range(REQUESTS)]
    plain = {
        slug: [{"name": each.name_for(slug), "usd": float(each.prices[0].usd)} for each in entry.endpoints]
        for slug, entry in CATALOG.models.items()
    }
    routing.decide(asked[0], CATALOG, USABLE)  # reads the catalog once
    routed = per_second(
        lambda number: routing.decide(asked[number], CATALOG, USABLE, snapshot=SNAPSHOT, seed=f"job_{number}")
    )
    dumped = per_second(lambda number: yardstick(asked[number], plain))
    print(
        f"routing: {routed / dumped:.2f} of dumping the request and sorting its endpoints"
        f" ({routed:,.0f} against {dumped:,.0f} a second; needed: {NEEDED_PER_SECOND:,})"
    )
    assert routed >= NEEDED_PER_SECOND


if __name__ == "__main__":
    main()

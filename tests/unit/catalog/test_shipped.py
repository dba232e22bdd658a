"""The catalog that is shipped offers exactly what the sandbox serves, at the price it bills."""

import pytest

from shared import settings
from shared.catalog import files
from shared.domain import models, pricing, requests, sizes, states
from shared.providers import registry
from shared.providers.sandbox import accounts, asks, generations, variants

CATALOG = files.load(settings.SHIPPED_CATALOG, registry.ABILITIES)


def test_every_model_of_the_sandbox_is_offered_under_its_name() -> None:
    offered = {endpoint.upstream_model for model in CATALOG.models.values() for endpoint in model.endpoints}
    assert offered == set(variants.MODELS)
    assert {f"sandbox/{name}" for name in variants.MODELS} <= set(CATALOG.models)


@pytest.mark.parametrize("model", CATALOG.models.values(), ids=lambda model: model.id)
def test_a_model_makes_what_its_endpoints_make(model: models.Model) -> None:
    assert {str(variants.MODELS[endpoint.upstream_model].kind) for endpoint in model.endpoints} == {str(model.kind)}


@pytest.mark.parametrize(
    ("provider", "doubt"),
    [("sandbox", "K"), ("sandbox-searchable", "L"), ("sandbox-plain", "N"), ("sandbox-backup", "K")],
)
def test_a_provider_is_of_the_class_its_account_has(provider: str, doubt: str) -> None:
    entry = CATALOG.providers[provider]
    account = next(account for account in accounts.ACCOUNTS if account.base_path == entry.base_url)
    assert entry.doubt == doubt
    assert account.deduplicates is (doubt == "K")
    assert account.searchable is (doubt == "L")


# An embedding costs next to nothing and may be asked for twice: it is offered at one account only.
LOSABLE = [kind for kind in states.Kind if kind is not states.Kind.EMBEDDING]


@pytest.mark.parametrize("kind", LOSABLE)
def test_every_kind_can_be_lost_at_every_class(kind: states.Kind) -> None:
    for account in ("searchable", "plain"):
        for suffix in ("", "-cut", "-cut-always"):
            endpoint = CATALOG.models[f"sandbox/{kind}{suffix}-{account}"].endpoints[0]
            assert (endpoint.provider, endpoint.upstream_model) == (f"sandbox-{account}", f"{kind}{suffix}")


REQUESTS: dict[states.Kind, requests.AnyRequest] = {
    states.Kind.VIDEO: requests.VideoRequest(model="m", prompt="a cat", duration=7, n=2),
    states.Kind.IMAGE: requests.ImageRequest(model="m", prompt="a cat", n=3),
    states.Kind.TEXT: requests.TextRequest(model="m", prompt="a cat"),
    states.Kind.EMBEDDING: requests.EmbeddingRequest(model="m", input=["a cat", "a dog"]),
}


@pytest.mark.parametrize("kind", states.Kind)
def test_the_estimate_is_what_the_sandbox_bills(kind: states.Kind) -> None:
    model, request = CATALOG.models[f"sandbox/{kind}"], REQUESTS[kind]
    fields = request.model_dump(mode="json", include={"prompt", "input", "duration", "n"}, exclude_none=True)
    ask = asks.Ask(kind=variants.Kind(kind), model=kind, input=asks.Input(**fields))
    assert pricing.estimate(model, model.endpoints[0], request) == generations.price(ask)


def test_what_is_left_open_is_what_the_sandbox_makes_by_itself() -> None:
    film, picture = CATALOG.models["sandbox/video"], CATALOG.models["sandbox/image"]
    assert (
        str(sizes.of_video(film, requests.VideoRequest(model="m", prompt="p")))
        == asks.DEFAULT_SIZES[variants.Kind.VIDEO]
    )
    assert (
        str(sizes.of_image(picture, requests.ImageRequest(model="m", prompt="p")))
        == asks.DEFAULT_SIZES[variants.Kind.IMAGE]
    )
    assert pricing.default_seconds(film) == asks.DEFAULT_DURATION_SECONDS


def test_every_resolution_in_every_shape_is_one_of_the_sizes() -> None:
    film = CATALOG.models["sandbox/video"]
    shapes = {
        str(sizes.asked(requests.VideoRequest(model="m", prompt="p", resolution=lines, aspect_ratio=shape)))
        for lines in film.resolutions
        for shape in film.aspect_ratios
    }
    assert shapes == set(film.sizes)

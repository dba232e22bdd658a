"""The examples are whole, one by one and all together, and every endpoint in them can be asked."""

import shutil
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from shared import settings
from shared.catalog import files
from shared.domain import asks, models, requests, requirements, states, templates
from shared.providers import base, plain, registry
from tests.contract import pretence

EXAMPLES = settings.SHIPPED_CATALOG.parent / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
ALL = files.load(EXAMPLES, registry.ABILITIES)
OFFERS = [(model, endpoint) for model in ALL.models.values() for endpoint in model.endpoints]

PICTURE: dict[str, Any] = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}
VALUES: dict[str, Any] = {
    "seed": 7,
    "generate_audio": True,
    "frame_images": [
        {**PICTURE, "frame_type": "first_frame"},
        {**PICTURE, "frame_type": "last_frame"},
    ],
    "input_references": [PICTURE],
    "max_tokens": 100,
    "temperature": 0.5,
    "response_format": {"type": "json_object"},
}


def test_every_adapter_has_an_example() -> None:
    assert set(NAMES) == set(registry.ADAPTERS) - {"sandbox"}
    assert {provider.adapter for provider in ALL.providers.values()} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_stands_alone(name: str, tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / f"{name}.yaml", tmp_path)
    catalog = files.load(tmp_path, registry.ABILITIES)
    assert catalog.models
    assert {provider.adapter for provider in catalog.providers.values()} == {name}


def test_the_examples_are_not_what_is_loaded_by_default() -> None:
    shipped = files.load(settings.SHIPPED_CATALOG, registry.ABILITIES)
    assert not set(shipped.models) & set(ALL.models)


@pytest.mark.parametrize(("model", "endpoint"), OFFERS, ids=[endpoint.name_for(model.id) for model, endpoint in OFFERS])
async def test_every_endpoint_can_be_asked(model: models.Model, endpoint: models.Endpoint) -> None:
    given = {name: VALUES[name] for name in model.parameters} | ({"n": model.max_n} if model.max_n > 1 else {})
    body = {"model": model.id, "prompt": "A red balloon.", **given}
    request = requests.BY_KIND[model.kind].model_validate(body)
    requirements.check(model, model.kind, request, "model")
    ask = base.Ask(
        kind=model.kind,
        upstream_model=endpoint.upstream_model,
        request=request,
        reference="job_1.1",
        pixels=asks.pixels(model, request),
        seconds=asks.seconds(model, request),
        route=endpoint.route,
        options=endpoint.options,
    )
    sent = await what_is_sent(ALL.providers[endpoint.provider], ask)
    assert not [place for place in templates.places(sent) if place in templates.PLACES]
    assert model.kind is states.Kind.TEXT or "A red balloon." in str(sent)


async def what_is_sent(provider: models.Provider, ask: base.Ask) -> object:
    """The body of the submit, taken off before it reaches a wire."""
    bodies: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(request.read())
        return httpx.Response(429)

    client = pretence.session(answer)
    connection = base.Connection(provider, provider.base_url, "a:key", client, client)
    adapter = registry.ADAPTERS[provider.adapter](connection)
    assert isinstance(adapter, plain.PlainAdapter)
    assert isinstance(await adapter.submit(ask), base.Refused)
    (body,) = bodies
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode(errors="replace")

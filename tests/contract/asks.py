"""One ask for each offer, with every field the adapter says it passes on."""

import itertools
from typing import Any

from shared.domain import models, requests, sizes, states
from shared.providers import base
from tests.contract.servers import upstream

SEED = 1234567
MAX_TOKENS = 321
TEMPERATURE = 0.375
DIMENSIONS = 4321
CALLBACK = "https://callbacks.example/one-time-token"
SCHEMA = {"name": "answer", "schema": {"type": "object", "properties": {"mark": {"const": "schema-mark"}}}}

_numbers = itertools.count(1)


def make(
    dialect: upstream.Dialect, offer: upstream.Offer, fields: frozenset[str], course: upstream.Course, model: str | None
) -> base.Ask:
    pixels = None if offer.kind in states.WRITTEN else sizes.parse(offer.size)
    return base.Ask(
        kind=offer.kind,
        upstream_model=model or offer.models.get(course, offer.model),
        request=request(dialect, offer, fields),
        reference=f"job_{next(_numbers)}.1",
        pixels=pixels,
        seconds=offer.seconds if offer.kind is states.Kind.VIDEO else None,
        callback_url=CALLBACK,
        route=offer.route,
        options=offer.options,
    )


def request(dialect: upstream.Dialect, offer: upstream.Offer, fields: frozenset[str]) -> requests.AnyRequest:
    picture = {"type": "image_url", "image_url": {"url": dialect.picture}}
    values: dict[str, Any] = {
        "seed": SEED,
        "generate_audio": True,
        "frame_images": [
            {**picture, "frame_type": "first_frame"},
            {**picture, "frame_type": "last_frame"},
        ],
        "input_references": [picture],
        "max_tokens": MAX_TOKENS,
        "temperature": TEMPERATURE,
        "response_format": {"type": "json_schema", "json_schema": SCHEMA},
        "dimensions": DIMENSIONS,
    }
    given = {name: value for name, value in values.items() if name in fields - offer.leaves_out}
    prompt = "A red balloon over a quiet bay."
    said = {"input": [prompt, prompt]} if offer.kind is states.Kind.EMBEDDING else {"prompt": prompt}
    return requests.BY_KIND[offer.kind].model_validate({"model": "a/model", **said, **given})


def traces(dialect: upstream.Dialect, fields: frozenset[str]) -> list[bytes]:
    """What must be found in the bytes that were sent, if these fields are passed on."""
    picture = dialect.picture.rpartition(",")[2].encode()
    marks = {
        "seed": str(SEED).encode(),
        "frame_images": picture,
        "input_references": picture,
        "max_tokens": str(MAX_TOKENS).encode(),
        "temperature": str(TEMPERATURE).encode(),
        "response_format": b"schema-mark",
        "dimensions": str(DIMENSIONS).encode(),
    }
    return [marks[name] for name in sorted(fields) if name in marks]


def provider(dialect: upstream.Dialect) -> models.Provider:
    return models.Provider(name=f"a-{dialect.name}", adapter=dialect.name, doubt=None)

"""pydantic's faults in our words."""

from typing import Any

import pydantic
import pytest

from api import validation
from shared import errors
from shared.domain import requests


def fault(model: type[pydantic.BaseModel], body: dict[str, Any]) -> errors.InvalidRequestError:
    with pytest.raises(pydantic.ValidationError) as caught:
        model.model_validate(body)
    found = [{**item, "loc": ("body", *item["loc"])} for item in caught.value.errors()]
    return validation.of_pydantic(found, model)


BASE = {"model": "m", "prompt": "p"}


@pytest.mark.parametrize(
    ("fields", "kind", "param", "accepted"),
    [
        ({"n": "1"}, errors.InvalidRequestError, "n", ["integer"]),
        ({"n": 0}, errors.InvalidRequestError, "n", [">= 1"]),
        ({"models": ["a"] * 11}, errors.InvalidRequestError, "models", ["at most 10 long"]),
        ({"models": [1]}, errors.InvalidRequestError, "models[0]", ["string"]),
        ({"metadata": {"k": 1}}, errors.InvalidRequestError, "metadata.k", ["string"]),
        ({"metadata": {"": "v"}}, errors.InvalidRequestError, "metadata", ["at least 1 long"]),
        ({"on_doubt": "x"}, errors.InvalidRequestError, "on_doubt", ["fail", "retry", "fallback"]),
        ({"generate_audio": 1}, errors.InvalidRequestError, "generate_audio", ["boolean"]),
        ({"provider": 1}, errors.InvalidRequestError, "provider", ["object"]),
        ({"model": None}, errors.InvalidRequestError, "model", ["string"]),
    ],
)
def test_it_names_field_and_accepted_values(
    fields: dict[str, Any], kind: type[errors.GenqueueError], param: str, accepted: list[Any]
) -> None:
    found = fault(requests.VideoRequest, BASE | fields)
    assert (type(found), found.param, found.accepted) == (kind, param, accepted)


def test_an_unknown_field_is_told_the_known_ones_of_its_place() -> None:
    top = fault(requests.VideoRequest, BASE | {"sedd": 1})
    assert isinstance(top, errors.UnknownFieldError)
    assert "seed" in (top.accepted or [])
    deep = fault(requests.VideoRequest, BASE | {"provider": {"max_price": {"sec": 1}}})
    assert (deep.param, deep.accepted) == (
        "provider.max_price.sec",
        ["completion", "image", "prompt", "request", "second"],
    )
    json_schema = {"name": "n", "schema": {}, "odd": 1}
    text = {"model": "m", "prompt": "p", "response_format": {"type": "json_schema", "json_schema": json_schema}}
    assert fault(requests.TextRequest, text).accepted == ["name", "schema", "strict"]


def test_a_very_long_field_name_is_cut() -> None:
    found = fault(requests.VideoRequest, BASE | {"x" * 5000: 1})
    assert len(found.param or "") == validation.LONGEST_PARAM
    assert len(found.message) < 300

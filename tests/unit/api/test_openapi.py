"""The OpenAPI is whole: ids, examples, error answers, keys; and the examples are true."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from api import app, auth
from api.native import answers, examples
from shared import settings
from shared.domain import requests

SCHEMA = app.create_app(settings.Settings(admin_key=SecretStr("a-key-for-this-test"))).openapi()


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in SCHEMA["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_operation_has_an_id_of_its_own_and_says_what_it_does() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    assert all(operation.get("description") for _, _, operation in operations())


def test_every_operation_but_the_public_needs_a_key_and_documents_its_errors() -> None:
    for _, path, operation in operations():
        if path in auth.PUBLIC_ROUTES:
            assert "security" not in operation
            continue
        assert operation["security"] == [{"HTTPBearer": []}, {"APIKeyHeader": []}]
        assert {"400", "401", "503"} <= set(operation["responses"])
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert answer["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorAnswer")
                assert "error" in answer["content"]["application/json"]["example"]


@pytest.mark.parametrize("kind", list(requests.BY_KIND))
def test_the_examples_of_requests_are_valid(kind: Any) -> None:
    body = SCHEMA["paths"][f"/v1/{kind}s"]["post"]["requestBody"]["content"]["application/json"]
    assert body["examples"]
    for example in body["examples"].values():
        requests.BY_KIND[kind].model_validate(example["value"])


def test_the_examples_of_answers_are_valid_and_whole() -> None:
    assert answers.Job.model_validate(examples.JOB).model_dump().keys() == examples.JOB.keys()
    assert answers.Accepted.model_validate(examples.ACCEPTED).model_dump().keys() == examples.ACCEPTED.keys()


def test_faults_of_validation_are_not_promised_as_422() -> None:
    assert "HTTPValidationError" not in str(SCHEMA)


@pytest.mark.parametrize(("micros", "shown"), [(0, "0.000000"), (1, "0.000001"), (1_234_567, "1.234567")])
def test_money_is_shown_exactly(micros: int, shown: str) -> None:
    assert answers.usd(micros) == shown

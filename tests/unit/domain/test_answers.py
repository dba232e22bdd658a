"""Text with a JSON schema: an answer that does not fit is no output."""

import pytest

from shared.domain import answers, requests

SCHEMA: dict[str, object] = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def asking(form: dict[str, object] | None) -> requests.TextRequest:
    return requests.TextRequest.model_validate({"model": "a/t", "prompt": "x", "response_format": form})


def with_schema(schema: dict[str, object]) -> requests.TextRequest:
    return asking({"type": "json_schema", "json_schema": {"name": "count", "schema": schema}})


@pytest.mark.parametrize("text", ['{"n": 1}', ' {"n": 2, "m": []}\n'])
def test_an_answer_that_fits(text: str) -> None:
    assert answers.misfit(with_schema(SCHEMA), text) is None


@pytest.mark.parametrize("text", ["", "n is 1", '{"n": "1"}', "{}", "[1]", '```json\n{"n": 1}\n```'])
def test_an_answer_that_does_not(text: str) -> None:
    said = answers.misfit(with_schema(SCHEMA), text)
    assert said is not None
    assert "```" not in said


def test_free_text_always_fits() -> None:
    assert answers.misfit(asking(None), "anything") is None
    assert answers.misfit(asking({"type": "text"}), "anything") is None


def test_a_json_object_must_be_an_object() -> None:
    assert answers.misfit(asking({"type": "json_object"}), "{}") is None
    assert answers.misfit(asking({"type": "json_object"}), "[]") is not None


def test_a_reference_to_elsewhere_is_never_fetched() -> None:
    said = answers.misfit(with_schema({"$ref": "http://127.0.0.1:9/schema.json"}), "{}")
    assert said is not None
    assert "outside" in said


def test_a_senseless_schema_is_refused_at_the_door() -> None:
    with pytest.raises(ValueError, match="not a JSON schema"):
        with_schema({"type": "no-such-type"})

"""From a row to a request: templates, columns, OpenAI lines; and every way a row can be wrong."""

import json
from collections.abc import Mapping

import pytest

from shared import settings
from shared.catalog import shelf
from shared.domain import batch_rows, recipes, sheets, states
from shared.providers import registry

CATALOG = shelf.Shelf(settings.SHIPPED_CATALOG, registry.ABILITIES).current
USABLE = frozenset({"sandbox", "sandbox-backup"})


def checker(recipe: Mapping[str, object], *columns: str, form: sheets.Form = sheets.Form.CSV) -> batch_rows.Checker:
    layout = sheets.Layout(form, columns)
    return batch_rows.Checker(recipes.Recipe.model_validate(recipe), layout, CATALOG, USABLE)


def request(of: batch_rows.Checker, *cells: str) -> dict[str, object]:
    kind, made = of.request(cells)
    return {"kind": kind, **made.model_dump(exclude_defaults=True, by_alias=True)}


TEMPLATE: dict[str, object] = {"model": "sandbox/text", "template": "A text about {{ Product Name }} in {{language}}."}


def test_a_template_is_filled_from_the_row() -> None:
    made = request(checker(TEMPLATE, "product-name", "language"), "Kettle {{language}}", "de")
    # A cell is never a template: what it holds is not filled in again.
    assert made == {"kind": "text", "model": "sandbox/text", "prompt": "A text about Kettle {{language}} in de."}


def test_system_parameters_and_schema_go_with_every_row() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    recipe = TEMPLATE | {"system": "Be brief.", "parameters": {"max_tokens": 50}, "response_schema": schema}
    made = request(checker(recipe, "product name", "language"), "Kettle", "de")
    assert made["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "A text about Kettle in de."},
    ]
    assert made["max_tokens"] == 50
    assert made["response_format"] == {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


@pytest.mark.parametrize(
    ("recipe", "columns", "code"),
    [
        (TEMPLATE, ("name", "language"), "unknown_column"),
        ({"model": "sandbox/text", "template": "no hole"}, ("name",), "template_without_column"),
        ({"model": "sandbox/text"}, ("question",), "no_prompt"),
        ({}, ("prompt",), "no_model"),
        ({"model": "sandbox/text", "mapping": {"prompt": "q"}}, ("question",), "unknown_column"),
        ({"model": "sandbox/text", "mapping": {"promt": "q"}}, ("q",), "unknown_field"),
        ({"model": "sandbox/text"}, ("prompt", "Text"), "duplicate_header"),
        (TEMPLATE | {"custom_id_column": "sku"}, ("product name", "language"), "unknown_column"),
    ],
)
def test_columns_that_do_not_fit_are_refused_with_those_there_are(
    recipe: dict[str, object], columns: tuple[str, ...], code: str
) -> None:
    with pytest.raises(sheets.SheetError) as caught:
        checker(recipe, *columns)
    assert caught.value.code == code


def test_columns_are_the_request() -> None:
    of = checker({}, "Prompt", "model", "Seconds", "size", "seed", "meta.order", "notes")
    made = request(of, "a heron", "sandbox/video", "2", "1280x720", "0042", "17", "for Ann")
    assert made == {
        "kind": "video",
        "model": "sandbox/video",
        "prompt": "a heron",
        "duration": 2,
        "size": "1280x720",
        "seed": 42,
        "metadata": {"order": "17"},
    }
    assert of.notes == ("Column 'notes' is not used.",)


def test_a_blank_cell_means_the_default() -> None:
    made = request(checker({"model": "sandbox/image"}, "prompt", "n", "seed"), "a heron", "", "")
    assert made == {"kind": "image", "model": "sandbox/image", "prompt": "a heron"}


@pytest.mark.parametrize(
    ("cells", "code", "column"),
    [
        (("a heron", "sandbox/vidoe", "2"), "unknown_model", "Model"),
        (("a heron", "sandbox/video", "two"), "invalid_value", "Seconds"),
        (("a heron", "sandbox/video", "1,5"), "invalid_value", "Seconds"),
        (("a heron", "sandbox/video", "99"), "unsupported_value", "Seconds"),
        (("", "sandbox/video", "2"), "invalid_value", "The prompt"),
        ((" \u3000", "sandbox/video", "2"), "invalid_value", "The prompt"),
        (("x" * 40_000, "sandbox/video", "2"), "invalid_value", "The prompt"),
    ],
)
def test_a_faulty_row_names_the_column(cells: tuple[str, ...], code: str, column: str) -> None:
    of = checker({"mapping": {"prompt": "The prompt"}}, "The prompt", "Model", "Seconds")
    with pytest.raises(recipes.RowFaultError) as caught:
        of.price(cells)
    assert (caught.value.fault.code, caught.value.fault.column) == (code, column)
    assert cells[0] not in caught.value.fault.message or not cells[0]


def test_openai_lines_become_requests() -> None:
    of = checker({}, "custom_id", "method", "url", "body", form=sheets.Form.JSONL)
    chat = {"model": "sandbox/text", "messages": [{"role": "developer", "content": "Hi"}], "max_completion_tokens": 9}
    made = request(of, "one", "POST", "/v1/chat/completions", json.dumps(chat))
    assert made == {
        "kind": states.Kind.TEXT,
        "model": "sandbox/text",
        "messages": [{"role": "system", "content": "Hi"}],
        "max_tokens": 9,
    }
    assert of.custom_id(["one", "POST", "", ""]) == "one"
    video = {"model": "sandbox/video", "prompt": "a heron", "seconds": "2"}
    assert request(of, "two", "POST", "/v1/videos", json.dumps(video))["duration"] == 2


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/v1/embeddings", "{}"),
        ("/v1/chat/completions", "{"),
        ("/v1/chat/completions", "[]"),
        ("/v1/chat/completions", '{"model": "sandbox/text", "stream": true, "messages": []}'),
        ("/v1/videos", '{"model": "sandbox/video", "prompt": "a", "seconds": "2s"}'),
    ],
)
def test_an_openai_line_that_cannot_be_run_is_a_faulty_row(url: str, body: str) -> None:
    of = checker({}, "custom_id", "method", "url", "body", form=sheets.Form.JSONL)
    with pytest.raises(recipes.RowFaultError) as caught:
        of.price(["one", "POST", url, body])
    assert caught.value.fault.code == "invalid_line"


def test_prices_add_up_whether_remembered_or_not() -> None:
    of = checker({"model": "sandbox/video"}, "prompt", "duration")
    first, again, longer = of.price(["a", "2"]), of.price(["b", "2"]), of.price(["c", "5"])
    assert first == again
    assert longer.most_micros * 2 == first.most_micros * 5


def test_a_prompt_that_is_too_long_is_found_after_a_shorter_one_of_its_shape_was_remembered() -> None:
    of = checker({"model": "sandbox/text"}, "prompt")
    assert of.price(["x" * 32_000]).prompt_characters == 32_000
    with pytest.raises(recipes.RowFaultError):
        of.price(["x" * 32_001])


def test_what_is_blank_is_never_taken_for_another_blank() -> None:
    """Python strips a file separator, the check of prompts does not."""
    of = checker({"model": "sandbox/text"}, "prompt")
    of.price(["\x1c"])
    with pytest.raises(recipes.RowFaultError):
        of.price([""])

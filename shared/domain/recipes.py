"""How a row becomes a request: a template, columns that are the request, or OpenAI batch lines. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, model_validator

from shared.domain import columns, openai_lines, requests, sheets

Body = dict[str, Any]
_HOLE = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_OWN_FIELDS = frozenset({"model", "prompt", "messages", "metadata", "webhook_url", "webhook_events"})


class RowFaultError(Exception):
    """This row cannot become a request."""

    def __init__(self, fault: sheets.RowFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Recipe(requests.Strict):
    """What all rows have in common. `template` has holes such as `{{name}}`; without it, columns are the request."""

    model: Annotated[str | None, Field(min_length=1, max_length=200, examples=["sandbox/text"])] = None
    template: Annotated[
        str | None, Field(min_length=1, max_length=requests.PROMPT_CHARACTERS, examples=["A text about {{name}}"])
    ] = None
    mapping: Annotated[
        dict[str, str], Field(max_length=50, description='Field of the request by column: `{"prompt": "Text"}`')
    ] = {}  # noqa: RUF012 - pydantic copies it
    system: Annotated[str | None, Field(min_length=1, max_length=requests.PROMPT_CHARACTERS)] = None
    parameters: Annotated[
        dict[str, Any], Field(max_length=50, description='Fields of every request: `{"max_tokens": 200}`')
    ] = {}  # noqa: RUF012 - pydantic copies it
    response_schema: Annotated[dict[str, Any] | None, Field(description="A JSON schema every answer must fit")] = None
    custom_id_column: Annotated[str | None, Field(min_length=1, max_length=200)] = None

    @model_validator(mode="after")
    def _one_way(self) -> "Recipe":
        if self.template is not None and self.mapping:
            raise ValueError("send either a template or a mapping")
        if self.template is not None and self.model is None and "models" not in self.parameters:
            raise ValueError("a template needs a model")
        taken = sorted(_OWN_FIELDS & self.parameters.keys())
        if taken:
            raise ValueError(f"parameters may not hold {taken[0]}; it has a field of its own")
        return self

    def fixed(self) -> Body:
        """The fields that are the same in every row."""
        body: Body = dict(self.parameters)
        if self.model is not None:
            body["model"] = self.model
        if self.response_schema is not None:
            schema = {"name": "answer", "schema": self.response_schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body


class Maker:
    """Makes the rows of one file into request bodies. Built by `compile_recipe`."""

    def __init__(
        self,
        prompt: Callable[[Sequence[str]], str],
        length: Callable[[Sequence[str]], int],
        rest: Callable[[Sequence[str]], Body],
        shape: Callable[[Sequence[str]], object] | None,
        custom_id: int | None,
        notes: Sequence[str],
        system: str | None = None,
    ) -> None:
        self.prompt = prompt
        # How long the prompt is; 0 for a blank one.
        self.length = length
        # What besides the prompt a row may ask for; None where that is the same in all.
        self.shape = shape
        self.notes = tuple(notes)
        self._rest = rest
        self._custom_id = custom_id
        self._system = system

    @property
    def has_ids(self) -> bool:
        """Whether a column holds the caller's own names of rows."""
        return self._custom_id is not None

    def custom_id(self, cells: Sequence[str]) -> str | None:
        """The caller's own name of the row; None if it gave none."""
        return (cells[self._custom_id] or None) if self._custom_id is not None else None

    def body(self, cells: Sequence[str]) -> Body:
        """The request of this row. Raises RowFaultError."""
        body = self._rest(cells)
        if "messages" in body:
            return body
        prompt, system = self.prompt(cells), body.pop("system", None) or self._system
        if system is None:
            return body | {"prompt": prompt}
        return body | {"messages": [{"role": "system", "content": system}, {"role": "user", "content": prompt}]}


def compile_recipe(recipe: Recipe, layout: sheets.Layout) -> Maker:
    """The maker for a file's columns. Raises SheetError when recipe and columns do not fit."""
    custom_id = _custom_id(recipe, layout)
    if recipe.template is not None:
        return _by_template(recipe, recipe.template, layout, custom_id)
    if openai_lines.are_lines(layout):
        return _by_lines(recipe, layout)
    return _by_columns(recipe, layout, custom_id)


def holes(template: str) -> list[str]:
    """The names in a template's holes, each once, in order."""
    return list(dict.fromkeys(_HOLE.findall(template)))


def columns_named(recipe: Recipe) -> list[str]:
    """The columns the caller named: they tell one delimiter from another."""
    named = [*(holes(recipe.template) if recipe.template else ()), *recipe.mapping.values()]
    return named if recipe.custom_id_column is None else [*named, recipe.custom_id_column]


def _by_template(recipe: Recipe, template: str, layout: sheets.Layout, custom_id: int | None) -> Maker:
    places = {columns.plain(name): place for place, name in enumerate(layout.columns)}
    exact = {name: place for place, name in enumerate(layout.columns)}
    parts: list[str | int] = []
    for number, part in enumerate(_HOLE.split(template)):
        if number % 2 == 0:
            parts.append(part)
            continue
        place = exact.get(part, places.get(columns.plain(part)))
        if place is None:
            known = ", ".join(layout.columns[:20])
            message = f"The template names {part!r}; the file's columns are: {known}."
            raise sheets.SheetError("unknown_column", message, 1)
        parts.append(place)
    if len(parts) == 1:
        raise sheets.SheetError("template_without_column", "The template has no {{column}}; every row would be equal.")
    fixed = recipe.fixed()

    indexes = [part for part in parts if isinstance(part, int)]
    said = "".join(part for part in parts if isinstance(part, str))
    said_length, is_blank = len(said), not said.strip()

    def prompt(cells: Sequence[str]) -> str:
        return "".join([part if isinstance(part, str) else cells[part] for part in parts])

    def length(cells: Sequence[str]) -> int:
        # A million prompts are measured without being made.
        if is_blank and not "".join([cells[at] for at in indexes]).strip():
            return 0
        count = said_length
        for at in indexes:
            count += len(cells[at])
        return count

    return Maker(prompt, length, lambda _: dict(fixed), None, custom_id, (), recipe.system)


def _by_columns(recipe: Recipe, layout: sheets.Layout, custom_id: int | None) -> Maker:
    reading = columns.read_header(layout.columns, recipe.mapping)
    if "prompt" not in reading.fields and "messages" not in reading.fields:
        known = ", ".join(layout.columns[:20])
        message = f"No column is the prompt; name one in `mapping` or send a `template`. The columns are: {known}."
        raise sheets.SheetError("no_prompt", message, 1)
    if recipe.model is None and "model" not in reading.fields:
        raise sheets.SheetError("no_model", "No column names the model, and no `model` was sent.", 1)
    place = custom_id if custom_id is not None else reading.fields.get("custom_id")
    others = [(name, at) for name, at in reading.fields.items() if name not in ("prompt", "custom_id")]
    indexes = [at for _, at in others]
    prompt_at, fixed = reading.fields.get("prompt"), recipe.fixed()

    def rest(cells: Sequence[str]) -> Body:
        body = dict(fixed)
        for name, at in others:
            if cells[at]:
                try:
                    columns.put(body, name, cells[at])
                except ValueError as error:
                    raise RowFaultError(sheets.RowFault("invalid_value", str(error), layout.columns[at])) from None
        return body

    return Maker(
        prompt=lambda cells: cells[prompt_at] if prompt_at is not None else "",
        length=lambda cells: 0 if prompt_at is None or not cells[prompt_at].strip() else len(cells[prompt_at]),
        rest=rest,
        shape=lambda cells: tuple([cells[at] for at in indexes]),
        custom_id=place,
        notes=[f"Column {name!r} is not used." for name in reading.unused],
        system=recipe.system,
    )


def _by_lines(recipe: Recipe, layout: sheets.Layout) -> Maker:
    url, body = layout.columns.index("url"), layout.columns.index("body")
    fixed = recipe.fixed()

    def rest(cells: Sequence[str]) -> Body:
        try:
            return openai_lines.request_body(cells[url], cells[body]) | fixed
        except ValueError as error:
            raise RowFaultError(sheets.RowFault("invalid_line", str(error), "body")) from None

    return Maker(
        prompt=lambda cells: str(rest(cells).get("prompt", "")),
        length=lambda _: 0,
        rest=rest,
        shape=lambda cells: (cells[url], cells[body]),
        custom_id=layout.columns.index("custom_id"),
        notes=(),
    )


def _custom_id(recipe: Recipe, layout: sheets.Layout) -> int | None:
    if recipe.custom_id_column is None:
        named = [at for at, name in enumerate(layout.columns) if columns.plain(name) == "custom_id"]
        return named[0] if named else None
    try:
        return layout.columns.index(recipe.custom_id_column)
    except ValueError:
        known = ", ".join(layout.columns[:20])
        message = f"No column is called {recipe.custom_id_column!r}; the columns are: {known}."
        raise sheets.SheetError("unknown_column", message, 1) from None


def fields_of(recipe: Recipe, layout: sheets.Layout) -> Mapping[str, str]:
    """Which column a field of the request comes from: for telling a fault where it was made."""
    if recipe.template is not None:
        names = holes(recipe.template)
        return {"prompt": names[0], "messages": names[0]} if len(names) == 1 else {}
    if openai_lines.are_lines(layout):
        return {}
    reading = columns.read_header(layout.columns, recipe.mapping)
    made = {name.partition(".")[2] or name: layout.columns[at] for name, at in reading.fields.items()}
    return {"messages": made.get("prompt", "")} | made

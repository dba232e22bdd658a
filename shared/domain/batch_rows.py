"""A row of a batch, which is a job: the same states, attempts and prices, kept in less space."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared import errors
from shared.domain import (
    answers,
    attempts,
    batches,
    doubts,
    jobs,
    ledger,
    models,
    outputs,
    pricing,
    recipes,
    requests,
    requirements,
    routing,
    sheets,
    states,
)

MOST_KEPT_SHAPES = 20_000


class RowStatus(StrEnum):
    """A job's statuses, and `invalid` for a row that cannot become a job."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Past:
    """How a row ended in a former generation; its job id stays valid and shows this."""

    generation: int
    status: RowStatus
    finished_at: datetime | None
    error_code: str | None
    error_message: str | None
    cost_micros: int
    history: tuple[attempts.Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A row of `batch_rows`. `sent_at` is set while an attempt is open: asked, and no answer written down yet.
    `history` holds the attempts that are over; `job_id` is set once an ordinary job carries the row on.
    """

    number: int
    line: int
    status: RowStatus
    cells: tuple[str, ...]
    generation: int
    attempt: int
    asks: int
    cost_micros: int
    custom_id: str | None = None
    model: str | None = None
    provider: str | None = None
    credential: int = 0
    sent_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    output: str | None = None
    error_code: str | None = None
    error_column: str | None = None
    error_message: str | None = None
    job_id: str | None = None
    history: tuple[attempts.Attempt, ...] = ()
    past: tuple[Past, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A row that was written back. `charges`: what each of its attempts cost, once the row has ended."""

    number: int
    charges: tuple[ledger.RowCharge, ...] = ()


@dataclass(frozen=True, slots=True)
class Price:
    """What one row should come to, and how long its prompt may be."""

    kind: states.Kind
    least_micros: int
    most_micros: int
    input_tokens: int
    output_tokens: int
    prompt_characters: int


def job_of(batch: batches.Batch, row: Row, body: Mapping[str, Any]) -> jobs.Job:
    """The row, whose request is `body`, as the job it is. Only texts are kept as rows alone."""
    kind = states.Kind.TEXT
    status = states.JobStatus(row.status)
    over = status in states.TERMINAL
    return jobs.Job(
        id=batches.row_id(batch.id, row.generation, row.number),
        tenant_id=batch.tenant_id,
        key_id=batch.key_id,
        is_test=batch.is_test,
        kind=kind,
        status=status,
        step=states.Step.DONE if over else states.Step.SUBMIT,
        model=str(body.get("model", "")),
        priority=batch.wishes.priority,
        on_doubt=states.OnDoubt(body.get("on_doubt") or doubts.DEFAULT_ON_DOUBT[kind]),
        created_at=batch.created_at,
        deadline_at=batch.deadline_at or batch.created_at,
        due_at=batch.created_at,
        fence=0,
        sequence=0,
        progress=100 if status is states.JobStatus.COMPLETED else 0,
        metadata={**batch.wishes.metadata, **body.get("metadata", {})},
        estimate_micros=0,
        cost_micros=row.cost_micros,
        turn_at=batch.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        served_model=row.model if status is states.JobStatus.COMPLETED else None,
        served_provider=row.provider if status is states.JobStatus.COMPLETED else None,
        error_code=row.error_code,
        error_message=row.error_message,
    )


Vet = Callable[[requests.AnyRequest], None]


def _nothing_more(_: requests.AnyRequest) -> None:
    """For rows that were vetted when their file was read."""


class Checker:
    """Checks rows and prices them. What is the same in many rows is checked once. `vet` raises a GenqueueError for a
    request that breaks a rule the catalog knows nothing of.
    """

    def __init__(
        self,
        recipe: recipes.Recipe,
        layout: sheets.Layout,
        catalog: models.Catalog,
        usable_providers: frozenset[str],
        vet: Vet = _nothing_more,
    ) -> None:
        self._maker = recipes.compile_recipe(recipe, layout)
        self._length, self._shape = self._maker.length, self._maker.shape
        self._fields = recipes.fields_of(recipe, layout)
        self._catalog = catalog
        self._usable = usable_providers
        self._vet = vet
        self._known: dict[object, Price] = {}
        self._about: dict[object, Price] = {}
        self.notes = self._maker.notes

    @property
    def has_ids(self) -> bool:
        """Whether the rows may have names of the caller's own."""
        return self._maker.has_ids

    def custom_id(self, cells: Sequence[str]) -> str | None:
        """The caller's own name of the row; None if it gave none."""
        return self._maker.custom_id(cells)

    def request(self, cells: Sequence[str]) -> tuple[states.Kind, requests.AnyRequest]:
        """The row's request, checked against the catalog and vetted. Raises RowFaultError."""
        body = self._maker.body(cells)
        slug = body.get("model")
        model = self._catalog.models.get(slug) if isinstance(slug, str) else None
        if model is None:
            raise self._fault("unknown_model", f"No model is called {str(slug)[:80]!r}.", "model")
        try:
            request = requests.parse(model.kind, body)
            requirements.check(model, model.kind, request, "model")
            self._vet(request)
        except ValueError as error:
            raise self._of_pydantic(error) from None
        except errors.GenqueueError as error:
            raise self._fault(error.code, error.message, _field_of(error.param)) from None
        return model.kind, request

    def price(self, cells: Sequence[str]) -> Price:
        """What the row should come to. Raises RowFaultError for a row that cannot be run."""
        length = self._length(cells)
        key = length if self._shape is None else (self._shape(cells), length)
        known = self._known.get(key)
        return self._learned(cells, key, length) if known is None else known

    def _learned(self, cells: Sequence[str], key: object, length: int) -> Price:
        # Prompts of about a length cost the same.
        about = (self._shape and self._shape(cells), length // pricing.CHARACTERS_PER_TOKEN)
        price = self._about.get(about)
        if price is None or not 0 < length <= price.prompt_characters:
            price = self._priced(cells, self._maker.prompt(cells))
        # Of length 0 is also what is not known before it is looked at.
        for kept, name in ((self._known, key), (self._about, about)) if length else ():
            if len(kept) >= MOST_KEPT_SHAPES:
                kept.clear()
            kept[name] = price
        return price

    def _priced(self, cells: Sequence[str], prompt: str) -> Price:
        kind, request = self.request(cells)
        route = routing.decide(request, self._catalog, self._usable)
        if not route.candidates:
            raise self._fault("no_endpoints", "No endpoint can serve this row.", "model")
        estimates = [candidate.estimate_micros for candidate in route.candidates]
        model = self._catalog.models[request.model]
        turns = request.characters() if isinstance(request, requests.TextRequest) else 0
        is_text = isinstance(request, requests.TextRequest)
        allowed = min(model.max_prompt_characters - (turns - len(prompt) if turns else 0), requests.PROMPT_CHARACTERS)
        return Price(
            kind=kind,
            least_micros=min(estimates),
            most_micros=max(estimates),
            input_tokens=turns // pricing.CHARACTERS_PER_TOKEN + 1 if is_text else 0,
            output_tokens=(request.max_tokens or pricing.DEFAULT_OUTPUT_TOKENS)
            if isinstance(request, requests.TextRequest)
            else 0,
            prompt_characters=allowed,
        )

    def _fault(self, code: str, message: str, field: str | None) -> recipes.RowFaultError:
        return recipes.RowFaultError(sheets.RowFault(str(code), message, self._fields.get(field or "") or None))

    def _of_pydantic(self, error: ValueError) -> recipes.RowFaultError:
        found = getattr(error, "errors", None)
        first = found(include_url=False, include_input=False)[0] if found else {"loc": (), "msg": str(error)}
        place = [str(part) for part in first["loc"]]
        field = place[0] if place else None
        said = str(first["msg"]).removeprefix("Value error, ")
        named = ".".join(place) or "The row"
        return self._fault("invalid_value", f"{named}: {said[:1].lower()}{said[1:]}."[:500], field)


def _field_of(param: str | None) -> str | None:
    """The field of the request that holds this place: frame_images of frame_images[0].image_url.url."""
    return re.split(r"[.\[]", param)[0] if param else None


def answer_of(request: requests.AnyRequest, sources: Sequence[outputs.Source]) -> str | None:
    """The text a provider delivered, if it is the answer asked for and fits in a cell of Postgres; else None."""
    texts = [source.text for source in sources if source.text is not None]
    if len(texts) != 1 or "\0" in texts[0] or answers.misfit(request, texts[0]) is not None:
        return None
    return texts[0]

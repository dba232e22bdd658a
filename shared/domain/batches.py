"""A batch as services and workers see it, its states, and the only arrows between them."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared import ids
from shared.domain import models, recipes, sheets, states

# The last characters of a batch's id are noughts: there the ids of its rows have generation and row (`row_id`).
_BODY_CHARACTERS = 26
_TIME_CHARACTERS = 10
_GENERATION_CHARACTERS = 2
_ROW_CHARACTERS = 5
_OWN_CHARACTERS = _BODY_CHARACTERS - _GENERATION_CHARACTERS - _ROW_CHARACTERS
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
MOST_GENERATIONS = 32**_GENERATION_CHARACTERS - 1
MOST_ROWS = 32**_ROW_CHARACTERS - 1
LEAST_PROGRESS = 0.05
LEAST_TIME = timedelta(seconds=10)
# A file that came with the batch, in the batch's folder.
INPUT_NAME = "input"


class BatchStatus(StrEnum):
    """What a caller sees of a batch."""

    VALIDATING = "validating"
    READY = "ready"
    IN_PROGRESS = "in_progress"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    EXPIRING = "expiring"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"


_S = BatchStatus
BATCH_ARROWS: Mapping[BatchStatus, frozenset[BatchStatus]] = {
    _S.VALIDATING: frozenset({_S.READY, _S.IN_PROGRESS, _S.CANCELLING, _S.FAILED}),
    _S.READY: frozenset({_S.IN_PROGRESS, _S.CANCELLING}),
    _S.IN_PROGRESS: frozenset({_S.PAUSED, _S.CANCELLING, _S.EXPIRING, _S.FINALIZING}),
    _S.PAUSED: frozenset({_S.IN_PROGRESS, _S.CANCELLING, _S.EXPIRING}),
    _S.CANCELLING: frozenset({_S.FINALIZING}),
    _S.EXPIRING: frozenset({_S.FINALIZING}),
    _S.FINALIZING: frozenset({_S.COMPLETED, _S.CANCELLED, _S.EXPIRED}),
    # Retry: a new generation of the same batch. Its rows get new job ids, so no terminal job changes (promise P2).
    _S.COMPLETED: frozenset({_S.IN_PROGRESS}),
    _S.CANCELLED: frozenset({_S.IN_PROGRESS}),
    _S.EXPIRED: frozenset({_S.IN_PROGRESS}),
    _S.FAILED: frozenset(),
}
OVER = frozenset({_S.COMPLETED, _S.CANCELLED, _S.EXPIRED, _S.FAILED})
# What a worker must be rung for. A paused batch only waits for what it has released.
WORKING = frozenset({_S.VALIDATING, _S.IN_PROGRESS, _S.PAUSED, _S.CANCELLING, _S.EXPIRING, _S.FINALIZING})
STOPPING: Mapping[BatchStatus, states.JobStatus] = {
    _S.CANCELLING: states.JobStatus.CANCELLED,
    _S.EXPIRING: states.JobStatus.EXPIRED,
}


def sources_of(after: BatchStatus) -> frozenset[BatchStatus]:
    """The statuses a batch may come from to reach `after`."""
    return frozenset(before for before, ends in BATCH_ARROWS.items() if after in ends)


class OnInvalid(StrEnum):
    """What to do with a file that has faulty rows."""

    SKIP = "skip"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows have which status now. They add up to the rows read so far (promise P9)."""

    queued: int = 0
    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    expired: int = 0
    invalid: int = 0

    @property
    def total(self) -> int:
        """Every row that was read."""
        return self.open + self.completed + self.failed + self.cancelled + self.expired + self.invalid

    @property
    def open(self) -> int:
        """The rows that have no outcome yet."""
        return self.queued + self.in_progress

    @property
    def unfinished(self) -> int:
        """The rows that a start or a retry would run."""
        return self.open + self.failed + self.cancelled + self.expired


@dataclass(frozen=True, slots=True)
class Quote:
    """What the valid rows should come to, in micro-dollars: at the cheapest endpoints, and at the dearest.
    `dearest_micros`: the dearest single row at its dearest endpoint.
    """

    least_micros: int = 0
    most_micros: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    dearest_micros: int = 0


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file written to the bucket when the batch closed."""

    name: str
    key: str
    media_type: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Wishes:
    """How its owner wants the batch run."""

    dry_run: bool = False
    on_invalid: OnInvalid = OnInvalid.SKIP
    priority: int = 5
    max_concurrency: int | None = None
    completion_window_seconds: int = 86400
    webhook_url: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewBatch:
    """What is inserted when a batch is accepted. The input is in the bucket already, or at `source_url`."""

    id: str
    tenant_id: str
    key_id: str
    created_at: datetime
    recipe: recipes.Recipe
    wishes: Wishes
    options: sheets.Options
    source_name: str
    source_key: str
    source_url: str | None = None
    clone_of: str | None = None
    # Where `webhook_url` leads, as receivers are kept by origin.
    webhook_origin: str | None = None
    is_test: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """A row of `batches`. `number` is its short name inside the database. `layout` is None until the file was read.
    `held_micros` is reserved for the rows that have no outcome, in each of `budget_ids`.
    """

    number: int
    id: str
    tenant_id: str
    key_id: str
    status: BatchStatus
    created_at: datetime
    recipe: recipes.Recipe
    wishes: Wishes
    options: sheets.Options
    source_name: str
    source_key: str
    counts: Counts
    quote: Quote
    cost_micros: int
    generation: int
    cursor: int
    reset_cursor: int | None
    source_url: str | None = None
    source_bytes: int | None = None
    clone_of: str | None = None
    layout: sheets.Layout | None = None
    notes: tuple[str, ...] = ()
    ends_as: BatchStatus = BatchStatus.COMPLETED
    validated_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    deadline_at: datetime | None = None
    error_code: str | None = None
    error_message: str | None = None
    files: tuple[ResultFile, ...] = ()
    is_test: bool = False
    held_micros: int = 0
    budget_ids: tuple[str, ...] = ()
    told_rows: int = 0
    told_at: datetime | None = None
    erased_at: datetime | None = None

    def has_news(self, now: datetime) -> bool:
        """Whether enough has happened since the batch's progress was last told: a twentieth of its rows, and some
        seconds. Its beginning and its end have events of their own.
        """
        since = self.told_at or self.started_at
        ended = self.counts.total - self.counts.open
        far = ended - self.told_rows >= max(self.counts.total * LEAST_PROGRESS, 1)
        return far and self.counts.open > 0 and since is not None and now - since >= LEAST_TIME

    def most_micros(self, rows: int) -> int:
        """The most that so many of its rows should cost. What a single row should is not kept."""
        return 0 if self.is_test else min(self.quote.most_micros, rows * self.quote.dearest_micros)

    def moved(self, deltas: Mapping[str, int], cost_micros: int) -> "Batch":
        """The batch after its rows were moved: `deltas` by status, and what they cost."""
        counts = {name: getattr(self.counts, name) + delta for name, delta in deltas.items()}
        return replace(self, counts=replace(self.counts, **counts), cost_micros=self.cost_micros + cost_micros)

    def left_micros(self, charged_micros: int) -> int:
        """What it holds on to when so much was charged: nothing once there are no rows that could need it."""
        left = max(self.held_micros - charged_micros, 0)
        # While a new generation is prepared, most of the rows to be run are not open yet.
        return left if self.reset_cursor is not None else min(left, self.most_micros(self.counts.open))

    @property
    def folder(self) -> str:
        """Where the files of this generation lie in the bucket."""
        return f"{folder(self.tenant_id, self.id)}/results-{self.generation}"


def reach(catalog: models.Catalog, usable: frozenset[str], *, is_test: bool) -> frozenset[str]:
    """The providers that rows may be sent to: those of a test key, to sandboxes only."""
    return usable & catalog.sandboxes() if is_test else usable


def folder(tenant_id: str, batch_id: str) -> str:
    """The prefix of everything a batch has in the bucket. Tenant first, so that rights and erasure go by prefix."""
    return f"{tenant_id}/batches/{batch_id}"


def is_own_input(batch: Batch) -> bool:
    """Whether the input came with this batch or one it is a clone of, and is nobody else's."""
    return batch.source_key.startswith(f"{batch.tenant_id}/batches/") and batch.source_key.endswith(f"/{INPUT_NAME}")


def new_id() -> str:
    """A new batch id: it ends in noughts, the place its rows' ids count in."""
    # Two ULIDs of one millisecond differ in their last characters only: ours are drawn anew.
    time = ids.new(ids.Prefix.BATCH)[: len(ids.Prefix.BATCH) + 1 + _TIME_CHARACTERS]
    drawn = "".join(secrets.choice(_DIGITS) for _ in range(_OWN_CHARACTERS - _TIME_CHARACTERS))
    return time + drawn + "0" * (_BODY_CHARACTERS - _OWN_CHARACTERS)


def row_id(batch_id: str, generation: int, row: int) -> str:
    """The job id of a row. Nothing has to be stored for it; a retried row is a new job."""
    own = batch_id.partition("_")[2][:_OWN_CHARACTERS]
    return f"{ids.Prefix.JOB}_{own}{_digits(generation, _GENERATION_CHARACTERS)}{_digits(row, _ROW_CHARACTERS)}"


@dataclass(frozen=True, slots=True)
class RowName:
    """What a row's job id says: which batch, which generation, which row."""

    batch_id: str
    generation: int
    row: int


def name_of(job_id: str) -> RowName:
    """Read a job id as `row_id` made it. Ids of single jobs read as rows of batches that do not exist."""
    body = job_id.partition("_")[2]
    own, rest = body[:_OWN_CHARACTERS], body[_OWN_CHARACTERS:]
    return RowName(
        f"{ids.Prefix.BATCH}_{own}{'0' * len(rest)}",
        _value(rest[:_GENERATION_CHARACTERS]),
        _value(rest[_GENERATION_CHARACTERS:]),
    )


def _digits(value: int, length: int) -> str:
    made = ""
    for _ in range(length):
        value, digit = divmod(value, 32)
        made = _DIGITS[digit] + made
    return made


def _value(digits: str) -> int:
    value = 0
    for digit in digits:
        value = value * 32 + _DIGITS.index(digit)
    return value

"""What happens to the rows of a slice. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared.domain import (
    attempts,
    backoff,
    batch_rows,
    batches,
    capacity,
    doubts,
    endpoints,
    faults,
    models,
    outputs,
    places,
    planning,
    pricing,
    requests,
    routing,
    states,
)

# How many rows of a batch are in the air when neither its owner nor its model sets a limit.
USUAL_CONCURRENCY = 64
# Pictures and films are released as ordinary jobs, so many at a time.
RELEASED_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Supply:
    """What rows may be asked for now: the catalog, the providers with keys, what is known of endpoints, how many rows
    are wanted, and the places there are for them.
    """

    catalog: models.Catalog
    usable: frozenset[str]
    snapshot: endpoints.Snapshot = endpoints.NOTHING_KNOWN
    room: int = 0
    leave: places.Places = field(default_factory=places.Places)


@dataclass(frozen=True, slots=True)
class Order:
    """A row with its request."""

    row: batch_rows.Row
    kind: states.Kind
    request: requests.AnyRequest


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask this endpoint for this row; `number` and `asks` say for which time."""

    order: Order
    endpoint: models.Endpoint
    model: models.Model
    number: int
    asks: int
    credential: int = 0

    def attempt(self, batch: batches.Batch, sent_at: datetime) -> attempts.Attempt:
        """The attempt as it is written down. Its reference never changes, however often it is asked."""
        job_id = batches.row_id(batch.id, self.order.row.generation, self.order.row.number)
        return attempts.Attempt(
            id="",
            job_id=job_id,
            number=self.number,
            model=self.model.id,
            provider=self.endpoint.provider,
            upstream_model=self.endpoint.upstream_model,
            credential=self.credential,
            status=states.AttemptStatus.SENT,
            reference=f"{job_id}.{self.number}",
            created_at=sent_at,
            sent_at=sent_at,
            ask_count=self.asks,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is written back of a row: an end, or when to go on. `ended` is the attempt that is over; with `is_open`
    the attempt stays open, to be asked again under its key.
    """

    number: int
    status: batch_rows.RowStatus
    due_at: datetime | None = None
    finished_at: datetime | None = None
    output: str | None = None
    fault: faults.Fault | None = None
    cost_micros: int = 0
    ended: attempts.Attempt | None = None
    is_open: bool = False

    def for_nothing(self) -> "Outcome":
        """The same, of a test key: it costs nothing."""
        return replace(self, cost_micros=0, ended=replace(self.ended, cost_micros=0) if self.ended else None)


@dataclass(frozen=True, slots=True)
class HandOver:
    """A row that goes on as an ordinary job, with the attempts made so far."""

    order: Order
    step: states.Step
    due_at: datetime
    history: tuple[attempts.Attempt, ...] = ()
    estimate_micros: int = 0


@dataclass(frozen=True, slots=True)
class NoRoom:
    """There is no place for the row. `is_certain`: who could be asked for it is asked enough; else, nobody has
    tried to get a place there yet.
    """

    is_certain: bool


def plan(batch: batches.Batch, order: Order, supply: Supply, now: datetime) -> Ask | Outcome | HandOver | NoRoom:
    """What to do with a row that was just claimed."""
    row = order.row
    if order.kind is not states.Kind.TEXT:
        usable = batches.reach(supply.catalog, supply.usable, is_test=batch.is_test)
        estimate = routing.decide(order.request, supply.catalog, usable).dearest_micros()
        return HandOver(order, states.Step.SUBMIT, now, estimate_micros=estimate)
    if row.sent_at is not None:
        return _settle(batch, order, supply.catalog, now)
    steps = _next(batch, order, row.history, supply, now)
    if isinstance(steps, planning.GiveUp):
        return _failed(row, steps.fault, now)
    return _first_with_room(order, steps, supply, now)


def _first_with_room(
    order: Order, steps: Sequence[planning.Ask], supply: Supply, now: datetime
) -> Ask | Outcome | NoRoom:
    """As for single jobs: another model is for failures, none is asked just because the first has no room."""
    waits: list[datetime] = []
    lacking: list[str] = []
    for step in steps:
        chosen = step.candidate
        if chosen.model.id != steps[0].candidate.model.id:
            continue
        if step.at > now:
            waits.append(step.at)
        elif not chosen.credentials:
            # Every key is held back for a while.
            waits.append(now + timedelta(seconds=capacity.LONGEST_WAIT_SECONDS))
        elif (credential := supply.leave.take(chosen, chosen.credentials)) is None:
            lacking.append(chosen.name)
        else:
            return Ask(order, chosen.endpoint, chosen.model, order.row.attempt + 1, 1, credential)
    if lacking:
        return NoRoom(is_certain=supply.leave.full.issuperset(lacking))
    return Outcome(order.row.number, batch_rows.RowStatus.IN_PROGRESS, due_at=min(waits))


def _settle(batch: batches.Batch, order: Order, catalog: models.Catalog, now: datetime) -> Ask | HandOver:
    """An attempt that a former slice left open (promise P3): under a key it is asked again, else a job settles it."""
    row = order.row
    model = catalog.models.get(row.model or "")
    offers = [offer for offer in model.endpoints if offer.provider == row.provider] if model else []
    if model is not None and offers:
        keyed = catalog.providers[offers[0].provider].doubt is models.Doubt.KEYED
        again = Ask(order, offers[0], model, row.attempt, row.asks + 1, row.credential)
        if keyed and row.asks < doubts.ASKS_PER_KEY:
            return again
        open_attempt = replace(again.attempt(batch, row.sent_at or now), ask_count=row.asks)
        return HandOver(order, states.Step.SUBMIT, now, (*row.history, open_attempt))
    return HandOver(order, states.Step.SUBMIT, now, row.history)


def completed(ask: Ask, text: str, usage: outputs.Usage | None, now: datetime) -> Outcome:
    """The row is done."""
    return Outcome(
        number=ask.order.row.number,
        status=batch_rows.RowStatus.COMPLETED,
        finished_at=now,
        output=text,
        cost_micros=_cost(ask, usage),
    )


def unusable(ask: Ask, attempt: attempts.Attempt, usage: outputs.Usage | None, now: datetime) -> attempts.Attempt:
    """The attempt, over because its answer is not what was asked for. It is paid for all the same."""
    fault = faults.Fault(faults.FaultKind.OUTPUT_UNUSABLE, "The answer is not what was asked for.")
    return ended(attempt, states.AttemptStatus.FAILED, fault, now, _cost(ask, usage))


def accepted(attempt: attempts.Attempt, upstream_id: str, now: datetime) -> attempts.Attempt:
    """The attempt, which its provider works on."""
    status = states.AttemptStatus.ACCEPTED
    return replace(attempt, status=status, upstream_id=upstream_id, accepted_at=now)


def ended(
    attempt: attempts.Attempt,
    status: states.AttemptStatus,
    fault: faults.Fault,
    now: datetime,
    cost_micros: int = 0,
) -> attempts.Attempt:
    """The attempt, over for `fault`."""
    return replace(
        attempt,
        status=status,
        fault=fault.kind,
        fault_message=fault.message,
        retry_after_seconds=fault.retry_after_seconds,
        finished_at=now,
        cost_micros=cost_micros,
    )


def unsent(ask: Ask, attempt: attempts.Attempt, now: datetime) -> Outcome:
    """We stood still too long, and nothing left. It is no failure of the provider, so it has no fault."""
    over = replace(attempt, status=states.AttemptStatus.NOT_SENT, finished_at=now)
    return Outcome(ask.order.row.number, batch_rows.RowStatus.IN_PROGRESS, due_at=now, ended=over)


def after_failure(batch: batches.Batch, ask: Ask, over: attempts.Attempt, supply: Supply, now: datetime) -> Outcome:
    """What becomes of a row whose attempt came to nothing: its next ask, or its end."""
    row = ask.order.row
    steps = _next(batch, ask.order, (*row.history, over), supply, now)
    if isinstance(steps, planning.GiveUp):
        return replace(_failed(row, steps.fault, now), ended=over, cost_micros=over.cost_micros)
    status = batch_rows.RowStatus.IN_PROGRESS
    return Outcome(row.number, status, due_at=steps[0].at, ended=over, cost_micros=over.cost_micros)


def after_silence(ask: Ask, attempt: attempts.Attempt, catalog: models.Catalog, now: datetime) -> Outcome | HandOver:
    """Nobody knows whether the ask arrived: under a key it is asked again, else a job settles it (promise P3)."""
    keyed = catalog.providers[ask.endpoint.provider].doubt is models.Doubt.KEYED
    if not keyed or ask.asks >= doubts.ASKS_PER_KEY:
        return HandOver(ask.order, states.Step.SUBMIT, now, (*ask.order.row.history, attempt))
    pause = backoff.retry_seconds(ask.asks, seed=f"{attempt.reference}-{ask.asks}")
    status = batch_rows.RowStatus.IN_PROGRESS
    return Outcome(ask.order.row.number, status, due_at=now + timedelta(seconds=pause), is_open=True)


def _next(
    batch: batches.Batch, order: Order, history: Sequence[attempts.Attempt], supply: Supply, now: datetime
) -> list[planning.Ask] | planning.GiveUp:
    route = routing.decide(
        order.request,
        supply.catalog,
        batches.reach(supply.catalog, supply.usable, is_test=batch.is_test),
        snapshot=supply.snapshot,
        seed=batches.row_id(batch.id, order.row.generation, order.row.number),
        asked=[attempt.endpoint for attempt in history],
    )
    wishes = planning.Wishes(doubts.on_doubt(order.kind, order.request), frozenset(order.request.fallback_on))
    return planning.next_asks(route, history, wishes, now)


def _failed(row: batch_rows.Row, fault: faults.Fault, now: datetime) -> Outcome:
    return Outcome(row.number, batch_rows.RowStatus.FAILED, finished_at=now, fault=fault)


def _cost(ask: Ask, usage: outputs.Usage | None) -> int:
    return pricing.actual(ask.model, ask.endpoint, ask.order.request, usage)

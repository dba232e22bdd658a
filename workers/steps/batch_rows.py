"""Asking a provider for one row of a batch, and what follows from its answer."""

import asyncio
import math
from datetime import datetime, timedelta

from shared import clock
from shared.domain import asks, attempts, batch_rows, models, slices, states
from shared.outbound import clients
from shared.providers import base
from shared.services import slices as slice_services
from workers import context
from workers.steps import submit, turns

HARMLESS_SECONDS = 60.0


class Asker:
    """For the rows of one slice. `seconds`: how long an answer takes, on the way; nobody knows before the first."""

    def __init__(self, at: context.Context, here: slice_services.Slice) -> None:
        self.seconds = math.inf
        self._at = at
        self._here = here
        self._adapters: dict[tuple[str, int], base.Adapter] = {}

    @property
    def may_repeat(self) -> bool:
        """Whether all who were asked so far take a second ask under our key for the first."""
        return all(adapter.doubt is models.Doubt.KEYED for adapter in self._adapters.values())

    async def ask(self, ask: slices.Ask, attempt: attempts.Attempt) -> slice_services.Result:
        """Ask once for a row whose `sent_at` is committed. Raises LostSliceError without asking when this process may
        be taken for dead.
        """
        if not self._at.lease.holds():
            raise slice_services.LostSliceError(self._here.batch.id)
        adapter = self._adapter(attempt)
        leave_by = _leave_by(adapter, attempt)
        began = asyncio.get_running_loop().time()
        with clients.leaving_by(leave_by):
            outcome = await adapter.submit(ask_of(ask, attempt))
        self.seconds = min(self.seconds, 10.0) * 0.9 + (asyncio.get_running_loop().time() - began) * 0.1
        if isinstance(outcome, base.NotSent) and clock.now() >= leave_by:
            return slices.unsent(ask, attempt, clock.now())
        await self._learn(attempt, outcome)
        return self._result(ask, attempt, outcome)

    def _adapter(self, attempt: attempts.Attempt) -> base.Adapter:
        """Made once a turn for each key: making one costs as much as half an ask."""
        name = (attempt.provider, attempt.credential)
        if name not in self._adapters:
            self._adapters[name] = self._at.adapter(*name)
        return self._adapters[name]

    async def _learn(self, attempt: attempts.Attempt, outcome: base.SubmitOutcome) -> None:
        """A refusal that concerns the endpoint or the key as such is told to all."""
        if isinstance(outcome, base.Refused | base.Failed):
            await turns.learn(self._at, attempt, outcome.fault)

    def _result(self, ask: slices.Ask, attempt: attempts.Attempt, outcome: base.SubmitOutcome) -> slice_services.Result:
        now, catalog = clock.now(), self._at.shelf.current
        status = states.AttemptStatus
        match outcome:
            case base.Finished():
                return self._finished(ask, attempt, outcome, now)
            case base.Accepted():
                history = (*ask.order.row.history, slices.accepted(attempt, outcome.upstream_id, now))
                return slices.HandOver(ask.order, states.Step.POLL, now, history)
            case base.Unknown():
                return slices.after_silence(ask, attempt, catalog, now)
            case base.Refused() | base.NotSent() if ask.asks > 1:
                # That this ask was refused says nothing about the first one, whose answer was lost (promise P3).
                return slices.after_silence(ask, attempt, catalog, now)
            case base.Failed():
                over = slices.ended(attempt, status.FAILED, outcome.fault, now, outcome.cost_micros)
            case base.Refused():
                over = slices.ended(attempt, status.REFUSED, outcome.fault, now)
            case base.NotSent():
                over = slices.ended(attempt, status.NOT_SENT, outcome.fault, now)
        return slices.after_failure(self._here.batch, ask, over, supply(self._at, 0), now)

    def _finished(
        self, ask: slices.Ask, attempt: attempts.Attempt, outcome: base.Finished, now: datetime
    ) -> slice_services.Result:
        text = batch_rows.answer_of(ask.order.request, outcome.sources)
        if text is not None:
            return slices.completed(ask, text, outcome.usage, now)
        over = slices.unusable(ask, attempt, outcome.usage, now)
        return slices.after_failure(self._here.batch, ask, over, supply(self._at, 0), now)


def supply(at: context.Context, room: int) -> slice_services.Supply:
    """What rows may be asked for now, where so many are wanted."""
    return slice_services.Supply(at.shelf.current, at.usable_providers(), at.watch.current, room)


def ask_of(ask: slices.Ask, attempt: attempts.Attempt) -> base.Ask:
    """What the provider is sent."""
    request = asks.without(ask.order.request, ask.endpoint)
    return base.Ask(
        kind=ask.order.kind,
        upstream_model=attempt.upstream_model,
        request=request,
        reference=attempt.reference,
        pixels=asks.pixels(ask.model, request),
        seconds=asks.seconds(ask.model, request),
        route=ask.endpoint.route,
        options=ask.endpoint.options,
    )


def _leave_by(adapter: base.Adapter, attempt: attempts.Attempt) -> datetime:
    """As for single jobs: a process that was frozen since the commit must not send what others have settled. Under a
    key that can do no harm, and hundreds of rows take their time to leave.
    """
    keyed = adapter.doubt is models.Doubt.KEYED
    first = clock.now() if keyed or attempt.sent_at is None else attempt.sent_at
    return first + timedelta(seconds=HARMLESS_SECONDS if keyed else submit.SEND_SECONDS)

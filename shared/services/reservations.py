"""Money while it is on its way: reserved when a job or a batch is admitted, settled as it ends (promise P7).

These functions belong into the transaction of the change they go with; they do not commit.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared import errors, metrics
from shared.db import batches as batch_tables
from shared.db import budgets as budget_rows
from shared.db import engine, events, ledger
from shared.domain import batches, budgets
from shared.domain import events as domain_events
from shared.domain import ledger as domain_ledger

IN_FLIGHT_RETRY_SECONDS = 10


def check(needed: Sequence[budgets.Budget], micros: int, now: datetime) -> None:
    """Raise BudgetExceededError for what is plainly too much, before anything is written or locked. Only `reserve`
    decides: these budgets are as they were when they were read.
    """
    for budget in needed:
        if budget.left_at(now) < micros:
            raise refusal(budget, micros, now)


async def reserve(connection: engine.Connection, needed: Sequence[budgets.Budget], micros: int, now: datetime) -> None:
    """Hold `micros` in each of these budgets, which are in the order of their ids. Raises BudgetExceededError."""
    for budget in needed:
        if await budget_rows.reserve(connection, budget, micros, now) is None:
            current = await budget_rows.get(connection, budget.tenant_id, budget.id)
            if current is not None:  # else: deleted this moment, so it limits nothing
                raise refusal(current, micros, now)


async def settle(connection: engine.Connection, settled: Sequence[ledger.Settled], now: datetime) -> None:
    """Jobs, whose rows this transaction has just ended, let go of what they held and are charged what their attempts
    cost; `held_micros` of each is what it held before. Thresholds that are thereby reached become events.
    """
    await ledger.settle(connection, settled, now)
    sums: dict[str, budgets.Sum] = {}
    for job, history in settled:
        own = budgets.Sum(job.held_micros, sum(attempt.cost_micros for attempt in history))
        for budget_id in job.budget_ids:
            sums[budget_id] = sums[budget_id] + own if budget_id in sums else own
    await _settle(connection, sums, now)


async def begin_batch(connection: engine.Connection, batch: batches.Batch, now: datetime) -> None:
    """Hold the most that the unfinished rows of a batch should cost in every budget of its key. The batch holds nothing
    yet, and is locked. Raises BudgetExceededError; then the caller undoes what this has written.
    """
    micros = batch.most_micros(batch.counts.unfinished)
    needed = await budget_rows.of_caller(connection, batch.tenant_id, batch.key_id) if micros else []
    check(needed, micros, now)
    budget_ids = tuple(budget.id for budget in needed)
    await batch_tables.note(connection, batch.number, held_micros=micros, budget_ids=list(budget_ids))
    await ledger.hold_batch(connection, replace(batch, held_micros=micros, budget_ids=budget_ids), now)
    await reserve(connection, needed, micros, now)


async def settle_batch(
    connection: engine.Connection,
    batch: batches.Batch,
    charges: Sequence[domain_ledger.RowCharge],
    by_jobs_micros: int,
    now: datetime,
) -> None:
    """Charge rows that ended, and let go of what the rows left cannot need: nothing is held once there are none.
    `batch` is locked, and as it is after its rows were moved; `by_jobs_micros` was charged by jobs that carried rows.
    """
    charged = sum(charge.micros for charge in charges)
    left = batch.left_micros(charged + by_jobs_micros)
    if left != batch.held_micros:
        await batch_tables.note(connection, batch.number, held_micros=left)
    await charge_batch(connection, batch, charges, batch.held_micros - left, now)


async def charge_batch(
    connection: engine.Connection,
    batch: batches.Batch,
    charges: Sequence[domain_ledger.RowCharge],
    freed_micros: int,
    now: datetime,
) -> None:
    """Charge rows that ended, and give back to the budgets what the batch, which is written down already, has let go
    of.
    """
    charged = sum(charge.micros for charge in charges)
    await ledger.settle_batch(connection, batch, freed_micros, charges, now)
    if freed_micros or charged:
        await _settle(connection, dict.fromkeys(batch.budget_ids, budgets.Sum(freed_micros, charged)), now)


async def suffices(connection: engine.Connection, batch: batches.Batch, now: datetime) -> bool | None:
    """Whether the batch's unfinished rows fit into every budget of its key now; None if there is no budget."""
    needed = await budget_rows.of_caller(connection, batch.tenant_id, batch.key_id)
    if not needed:
        return None
    micros = batch.most_micros(batch.counts.unfinished)
    held = dict.fromkeys(batch.budget_ids, batch.held_micros)
    return all(budget.left_at(now) + held.get(budget.id, 0) >= micros for budget in needed)


async def _settle(connection: engine.Connection, sums: Mapping[str, budgets.Sum], now: datetime) -> None:
    for budget in await budget_rows.settle(connection, sums, now):
        kind = domain_events.EventType.BUDGET_THRESHOLD
        await events.append(connection, budget.tenant_id, budget.tenant_id, kind, now, _told(budget, now))


def refusal(budget: budgets.Budget, micros: int, now: datetime) -> errors.BudgetExceededError:
    """Which limit stopped a job, what is left of it, and whether and when trying again may help."""
    left, spent = max(budget.left_at(now), 0), budget.spent_at(now)
    resets_at = budgets.resets_at(budget.period, now)
    whose = "key" if budget.key_id else "tenant"
    metrics.BUDGET_REJECTIONS.labels(whose).inc()
    details = _told(budget, now) | {"limit_source": whose, "needed_micros": micros, "left_micros": left}
    if micros > budget.limit_micros:
        sentence, retry_seconds = "This alone is dearer than the whole budget.", None
    elif spent + micros <= budget.limit_micros:
        sentence, retry_seconds = "The rest of the budget is held by jobs that run.", IN_FLIGHT_RETRY_SECONDS
    else:
        sentence = "The budget is used up."
        retry_seconds = math.ceil((resets_at - now).total_seconds()) if resets_at else None
    named = "whole" if budget.period is budgets.Period.TOTAL else budget.period
    return errors.BudgetExceededError(
        f"{sentence} Limit: the {whose}'s {named} budget.", retry_after_seconds=retry_seconds, details=details
    )


def _told(budget: budgets.Budget, now: datetime) -> dict[str, Any]:
    resets_at = budgets.resets_at(budget.period, now)
    spent = budget.spent_at(now)
    return {
        "budget_id": budget.id,
        "key_id": budget.key_id,
        "period": budget.period,
        "limit_micros": budget.limit_micros,
        "held_micros": budget.held_micros,
        "spent_micros": spent,
        "percent": budgets.threshold(spent, budget.limit_micros),
        "resets_at": resets_at.isoformat() if resets_at else None,
    }

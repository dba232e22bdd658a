"""Requests that come at the same moment are stored in one transaction: one commit and a few statements for all.

A commit waits for the disk, and the row of a budget is locked until then: one by one, a tenant's requests would go
through at the pace of the disk (docs/decisions/0012). Nothing waits for company: a request that comes alone is stored
at once, those that come meanwhile are the next group. Whatever is not plain goes alone, as if there were no groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import structlog

from shared import errors, gathering, logs
from shared.db import acceptance, budgets, deliveries, engine, events, groups, ledger, rows
from shared.domain import budgets as domain_budgets
from shared.domain import events as domain_events
from shared.domain import jobs, tries
from shared.services import idempotency, reservations

LARGEST_BYTES = 64 * 1024

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


class NotStoredError(Exception):
    """The group's transaction was given up before its commit: nothing of it is stored."""


@dataclass(frozen=True, slots=True)
class Item:
    """A job to be stored, and the key that is to stand for it."""

    new: jobs.NewJob
    once: idempotency.Once | None
    body: bytes

    @property
    def key(self) -> tuple[str, str] | None:
        """What no two of a group may share."""
        return (self.new.tenant_id, self.once.key) if self.once else None


@dataclass(frozen=True, slots=True)
class _Rowed:
    """An item with its job: as it is written down, and as it will be read."""

    item: Item
    columns: dict[str, Any]
    job: jobs.Job


class Groups:
    """One a process."""

    def __init__(self, db: engine.Database) -> None:
        self._db = db
        self._gathering = gathering.Gathering(self._store_all, lambda item: item.key)

    async def store(self, new: jobs.NewJob, once: idempotency.Once | None) -> jobs.Job | None:
        """Store the job with its request, first event and reserved money, and let the key stand for it; None if it
        has to be stored alone: nothing is stored then. Commits. Raises what the database raises.
        """
        body = orjson.dumps(new.request)
        if len(body) > LARGEST_BYTES or (once is not None and once.folds_seconds is not None):
            return None
        return await self._gathering.do(Item(new, once, body))

    async def _store_all(self, group: Sequence[Item]) -> list[jobs.Job | None]:
        try:
            made = await self._store(group)
        except NotStoredError as error:
            made = {}
            _log.warning("group_taken_apart", requests=len(group), cause=type(error.__cause__ or error).__name__)
        return [made.get(item.new.id) for item in group]

    async def _store(self, group: Sequence[Item]) -> dict[str, jobs.Job]:
        """What was stored, by job id. Raises NotStoredError while it is sure that nothing is: an error of the commit
        leaves that open, so it is the caller's, as without groups.
        """
        async with self._db.brisk(groups.LONGEST_WAIT_SECONDS) as connection:
            try:
                return await _write(connection, group)
            except NotStoredError:
                raise
            except Exception as error:
                raise NotStoredError from error


async def _write(connection: engine.Connection, group: Sequence[Item]) -> dict[str, jobs.Job]:
    known = await groups.known(
        connection,
        {item.new.tenant_id for item in group},
        {item.new.key_id for item in group},
        {item.new.webhook.origin for item in group if item.new.webhook},
    )
    rowed = [one for item in group if (one := _rowed(item, known)) is not None]
    if not rowed:
        return {}
    queued = domain_events.EventType.JOB_QUEUED
    told = [events.about_job(connection, each.columns, queued, each.job.created_at, {}) for each in rowed]
    ids = await groups.insert(connection, _rows(rowed, told))
    fresh = [(each, event) for each, event in zip(rowed, told, strict=True) if event.subject_id in ids]
    registered = known.wanting.registered
    wanted = [
        (event, target)
        for each, event in fresh
        for target in events.targets(event, each.columns, registered.get(event.tenant_id, ()))
    ]
    await deliveries.insert_all(connection, wanted, tries.Trigger.AUTOMATIC)
    made = [each.job for each, _ in fresh]
    await _reserve(connection, known.budgets, made)
    return {job.id: job for job in made}


def _rows(rowed: Sequence[_Rowed], told: Sequence[domain_events.Event]) -> groups.Rows:
    return groups.Rows(
        jobs=[each.columns for each in rowed],
        keys=[_key(each.item.new, each.item.once) for each in rowed if each.item.once],
        requests=[
            {"job_id": each.item.new.id, "body": orjson.Fragment(each.item.body), "prices": each.item.new.prices}
            for each in rowed
        ],
        events=[rows.event_values(event) for event in told],
        ledger=[ledger.held(each.job, each.job.created_at) for each in rowed if each.job.held_micros],
    )


def _rowed(item: Item, known: groups.Known) -> _Rowed | None:
    """The item with the budgets it is to be held in; None if it plainly does not fit into them, or its own URL is at
    an origin that was never seen before.
    """
    new = item.new
    receiver_id = known.wanting.origins.get((new.tenant_id, new.webhook.origin)) if new.webhook else None
    if new.webhook and receiver_id is None:
        return None
    columns = groups.queued(acceptance.job_values(new, receiver_id))
    if new.estimate_micros:
        needed = [
            each for each in known.budgets if each.tenant_id == new.tenant_id and each.key_id in (None, new.key_id)
        ]
        try:
            reservations.check(needed, new.estimate_micros, new.created_at)
        except errors.BudgetExceededError:
            return None
        columns |= {"held_micros": new.estimate_micros, "budget_ids": [budget.id for budget in needed]}
    return _Rowed(item, columns, rows.job(columns))


def _key(new: jobs.NewJob, once: idempotency.Once) -> groups.Key:
    return groups.Key(new.tenant_id, once.key, once.fingerprint, new.id, new.created_at.isoformat())


async def _reserve(
    connection: engine.Connection, limits: Sequence[domain_budgets.Budget], made: Sequence[jobs.Job]
) -> None:
    """Hold the sum in each budget. All or none: if together they do not fit, each has to try alone."""
    latest: datetime | None = max((job.created_at for job in made), default=None)
    for budget in limits:
        micros = sum(job.held_micros for job in made if budget.id in job.budget_ids)
        if latest and micros and await budgets.reserve(connection, budget, micros, latest) is None:
            raise NotStoredError

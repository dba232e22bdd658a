"""Steps of jobs that come at the same moment are done together: one statement or transaction for all of them.

A step that comes alone is done at once; what comes meanwhile is the next group (shared/gathering.py). In a group, each
job still has its own claim, attempt and outcome: whoever lost its claim is left out, and alone hears of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import structlog

from shared import gathering, logs
from shared.db import engine

A = TypeVar("A")
R = TypeVar("R")
# Answers for its items in their order; an exception is raised for that item alone.
Work = Callable[[engine.Database, Sequence[A]], Awaitable[Sequence[R | Exception]]]

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class _Item(Generic[A]):
    job_id: str
    value: A


async def do(db: engine.Database, work: Work[A, R], job_id: str, value: A) -> R:
    """Do this step of a job; no job is twice in a group. Raises what the work says of this item. If the work itself
    raises, each item is done again by itself: one that is bad never stops others. So a work writes nothing unless the
    claim still holds. Inside `together`: joins that transaction, alone.
    """
    if db.is_together:
        [answer] = await work(db, [value])
    else:
        answer = await _gathering(db, work).do(_Item(job_id, value))
    if isinstance(answer, Exception):
        raise answer
    return answer


def _gathering(db: engine.Database, work: Work[A, R]) -> gathering.Gathering[_Item[A], R | Exception]:
    if work not in db.gatherings:
        db.gatherings[work] = gathering.Gathering(partial(_do_all, db, work), lambda item: item.job_id)
    return db.gatherings[work]


async def _do_all(db: engine.Database, work: Work[A, R], items: Sequence[_Item[A]]) -> list[R | Exception]:
    try:
        return list(await work(db, [item.value for item in items]))
    except Exception as error:  # noqa: BLE001 - theirs to answer
        if len(items) == 1:
            return [error]
        _log.warning("group_taken_apart", jobs=len(items), error=type(error).__name__)
    alone = await asyncio.gather(*(_do_all(db, work, [item]) for item in items))
    return [answer for [answer] in alone]

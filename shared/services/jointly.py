"""Steps of jobs that come at the same moment are done together: one statement or transaction for all of them.

A step that comes alone is done at once; what comes meanwhile is the next group (shared/gathering.py). In a group, each
job still has its own claim, attempt and outcome: whoever lost its claim is left out, and alone hears of it. A group
that fails, or would have to wait for a row that somebody holds, is taken apart: then each goes alone.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import structlog
import tenacity

from shared import gathering, logs
from shared.db import engine, outages

A = TypeVar("A")
R = TypeVar("R")
# Answers for its items in their order; an exception is raised for that item alone.
Work = Callable[[engine.Database, Sequence[A]], Awaitable[Sequence[R | Exception]]]

# A step that goes alone is done again for so long, if only the database is in the way.
PATIENCE_SECONDS = 10.0
# Without a connection: whoever waits for a row, or for Postgres, must not keep one from the others.
PAUSE_SECONDS = 0.5

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


class _ApartError(Exception):
    """The group was taken apart; this item has to go alone."""


@dataclass(frozen=True, slots=True)
class _Item(Generic[A]):
    job_id: str
    value: A


async def do(db: engine.Database, work: Work[A, R], job_id: str, value: A) -> R:
    """Do this step of a job; no job is twice in a group. Raises what the work says of this item. If the work itself
    raises, each item is done again by itself: one that is bad never stops others. So a work writes nothing unless the
    claim still holds, and waits for no lock for long. Inside `together`: joins that transaction, alone.
    """
    if db.is_together:
        [answer] = await work(db, [value])
    else:
        answer = await _gathering(db, work).do(_Item(job_id, value))
    if isinstance(answer, _ApartError):
        answer = await _alone(db, work, value)
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
        if len(items) == 1 and not outages.is_outage(error):
            return [error]
        _log.warning("group_taken_apart", jobs=len(items), error=type(error).__name__)
    return [_ApartError()] * len(items)


async def _alone(db: engine.Database, work: Work[A, R], value: A) -> R | Exception:
    answer: R | Exception = _ApartError()
    async for attempt in tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(outages.is_outage),
        wait=tenacity.wait_fixed(PAUSE_SECONDS),
        stop=tenacity.stop_after_delay(PATIENCE_SECONDS),
        reraise=True,
    ):
        with attempt:
            [answer] = await work(db, [value])
    return answer

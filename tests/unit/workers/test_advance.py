"""A doorbell for several jobs: each goes its own way, and no more at once than the process may."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.services import due
from workers import context
from workers.steps import advance

ROOM = 2


def at() -> context.Context:
    return cast("context.Context", SimpleNamespace(room=asyncio.Semaphore(ROOM)))


async def test_no_more_jobs_are_under_work_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    now: set[str] = set()
    most: list[int] = []

    async def run(_: Any, job_id: str) -> None:
        now.add(job_id)
        most.append(len(now))
        await asyncio.sleep(0)
        now.remove(job_id)

    monkeypatch.setattr(advance, "run", run)
    await advance.run_all(at(), [f"job_{number}" for number in range(8)])
    assert (len(most), max(most)) == (8, ROOM)


async def test_an_error_of_one_is_told_when_the_others_are_through(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    async def run(_: Any, job_id: str) -> None:
        if job_id == "job_1":
            raise ZeroDivisionError
        done.append(job_id)

    monkeypatch.setattr(advance, "run", run)
    with pytest.raises(ZeroDivisionError):
        await advance.run_all(at(), ["job_0", "job_1", "job_2"])
    assert done == ["job_0", "job_2"]


@pytest.mark.parametrize(
    ("jobs", "workers", "sizes"),
    [
        (0, 1, []),
        (2, 1, [1, 1]),
        (5, 1, [3, 2]),
        (5, 4, [1, 1, 1, 1, 1]),
        (40, 2, [8, 8, 8, 8, 8]),
        (3, 0, [2, 1]),
    ],
)
def test_jobs_share_a_doorbell_only_when_every_worker_has_some(jobs: int, workers: int, sizes: list[int]) -> None:
    found = due.Due(tuple(f"job_{number}" for number in range(jobs)), 0, 0, workers)
    bells = found.doorbells()
    assert [len(bell) for bell in bells] == sizes
    assert [job_id for bell in bells for job_id in bell] == list(found.job_ids)

"""Steps that are written down together: each job keeps its own claim, attempt and outcome, whoever is in its group."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from shared import clock, ids
from shared.db import attempts as attempt_rows
from shared.db import claims as claim_rows
from shared.db import completion as completion_rows
from shared.db import engine
from shared.db import events as event_rows
from shared.db import ledger as ledger_rows
from shared.domain import budgets, jobs, outputs, routing, states
from shared.services import acceptance, asks, attempts, claims, completion
from shared.services import jobs as job_services
from tests.integration.tenants import money

JOBS = 6
OWNER = "prc_test"
BYTES = b"inline"


def output(claim: claims.Claim, number: int = 0) -> outputs.Output:
    job, kind = claim.job, outputs.Variant.MAIN
    name = f"{job.id}/{number}"
    return outputs.Output(
        ids.new(ids.Prefix.OUTPUT), job.id, job.tenant_id, number, kind, name, "image/png", 1, "0", NOW
    )


NOW = clock.now()


async def told(database: engine.Database, job: jobs.Job) -> list[str]:
    async with database.transaction() as connection:
        return [event.type for event in await event_rows.of_subject(connection, job.tenant_id, job.id, 0, 100)]


async def all_of(steps: Sequence[Any]) -> list[Any]:
    return await asyncio.gather(*steps, return_exceptions=True)


@pytest.fixture
async def by(database: engine.Database) -> acceptance.Sender:
    sender = await money.sender(database, await money.tenant(database))
    await money.budget(database, sender, 10**9, budgets.Period.MONTH)
    return sender


async def claimed(database: engine.Database, by: acceptance.Sender) -> list[claims.Claim]:
    made = [await money.submit(database, by) for _ in range(JOBS)]
    # Each doorbell is doubled.
    found = await all_of([claims.claim(database, job.id, OWNER, clock.now()) for job in (*made, *made)])
    assert found.count(None) == JOBS
    taken = [claim for claim in found if claim is not None]
    assert {claim.job.id for claim in taken} == {job.id for job in made}
    return taken


def candidate(claim: claims.Claim) -> routing.Candidate:
    return routing.decide(claim.request, money.CATALOG, money.USABLE).candidates[0]


async def begun(database: engine.Database, held: Sequence[claims.Claim]) -> list[Any]:
    return await all_of([asks.begin(database, claim.job, candidate(claim), 0, 1, clock.now()) for claim in held])


async def test_one_that_lost_its_claim_is_left_out_and_alone_hears_of_it(
    database: engine.Database, by: acceptance.Sender
) -> None:
    held = await claimed(database, by)
    ghost = replace(held[3], job=replace(held[3].job, fence=held[3].job.fence - 1))
    answers = await begun(database, [*held[:3], ghost, *held[4:]])
    assert [isinstance(answer, claim_rows.LostClaimError) for answer in answers] == [n == 3 for n in range(JOBS)]
    async with database.transaction() as connection:
        written = await attempt_rows.of_jobs(connection, [claim.job.id for claim in held])
    assert written.keys() == {claim.job.id for claim in held} - {ghost.job.id}


async def test_one_whose_attempt_was_sent_before_is_not_sent_again(
    database: engine.Database, by: acceptance.Sender
) -> None:
    held = await claimed(database, by)
    made = await begun(database, held)
    await asks.mark_sent(database, held[2].job, made[2], clock.now())
    pairs = zip(held, made, strict=True)
    answers = await all_of([asks.mark_sent(database, claim.job, attempt, clock.now()) for claim, attempt in pairs])
    assert [isinstance(answer, attempt_rows.StaleAttemptError) for answer in answers] == [n == 2 for n in range(JOBS)]
    for claim in held:
        assert await told(database, claim.job) == ["job.queued", "job.started"]


async def delivered(database: engine.Database, by: acceptance.Sender) -> list[tuple[claims.Claim, Any]]:
    """Claims and attempts of jobs whose results are kept: every second as a URL, the others inline."""
    held = await claimed(database, by)
    sent = [
        await asks.mark_sent(database, claim.job, attempt, clock.now())
        for claim, attempt in zip(held, await begun(database, held), strict=True)
    ]
    sources = [outputs.Source(url="http://x/0.png"), outputs.Source(body=BYTES)] * (JOBS // 2)
    wins = [attempts.Win(attempt, (source,)) for attempt, source in zip(sent, sources, strict=True)]
    pairs = zip(held, wins, strict=True)
    answers = await all_of([asks.delivered(database, claim.job, win, clock.now()) for claim, win in pairs])
    return [(replace(claim, job=answer[0]), answer[1]) for claim, answer in zip(held, answers, strict=True)]


async def test_what_the_attempt_is_now_is_what_was_written_down(
    database: engine.Database, by: acceptance.Sender
) -> None:
    kept = await delivered(database, by)
    async with database.transaction() as connection:
        written = await attempt_rows.of_jobs(connection, [claim.job.id for claim, _ in kept])
        bodies = [await attempt_rows.body(connection, attempt.id, 0) for _, attempt in kept[1::2]]
    assert [written[claim.job.id] for claim, _ in kept] == [[attempt] for _, attempt in kept]
    assert bodies == [BYTES] * (JOBS // 2)
    assert {claim.job.step for claim, _ in kept} == {states.Step.COLLECT}


async def test_a_bad_one_never_stops_the_others_of_its_group(
    database: engine.Database, by: acceptance.Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, sizes, end = await delivered(database, by), list[int](), completion_rows.end

    async def note(
        connection: engine.Connection, ends: Sequence[completion_rows.End], now: datetime, patience: str
    ) -> Any:
        sizes.append(len(ends))
        return await end(connection, ends, now, patience)

    monkeypatch.setattr(completion_rows, "end", note)
    bad = kept[4][0].job.id
    # Two outputs of one number: Postgres refuses the whole statement.
    stored = [[output(claim), output(claim)] if claim.job.id == bad else [output(claim)] for claim, _ in kept]
    done = [
        completion.complete(database, claim.job, attempt, made, 40_000, clock.now())
        for (claim, attempt), made in zip(kept, stored, strict=True)
    ]
    answers = await all_of(done)
    assert max(sizes) > 1
    assert [isinstance(answer, Exception) for answer in answers] == [n == 4 for n in range(JOBS)]
    views = [await job_services.get(database, by.tenant_id, claim.job.id) for claim, _ in kept]
    assert [view.job.status for view in views].count(states.JobStatus.COMPLETED) == JOBS - 1
    async with database.transaction() as connection:
        assert await ledger_rows.imbalances(connection) == []
    for view in views:
        assert (await told(database, view.job)).count("job.completed") == (view.job.id != bad)

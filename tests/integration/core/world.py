"""The core seen from outside: real services on the real database, and a provider that is only a tally of charges."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from shared import ids
from shared.db import engine, schema
from shared.domain import attempts, faults, jobs, outputs, planning, requests, routing, states, tenants
from shared.services import acceptance, claims, completion, polls
from shared.services import asks as ask_services
from shared.services import attempts as attempt_services
from shared.services import jobs as job_services
from tests.unit.domain import build

KEYED = "keyed"
LEASE_SECONDS = 3600


class Outcome(StrEnum):
    """What a provider may make of an ask."""

    ACCEPTED = "accepted"
    DONE = "done"
    REFUSED = "refused"
    CUT = "cut"


class Phase(StrEnum):
    """How far a worker has come with a claim."""

    CLAIMED = "claimed"
    BEGUN = "begun"
    SENT = "sent"
    POLLING = "polling"


@dataclass
class Hold:
    """A claim in some worker's memory. After the worker's lease ran out it is a ghost, and may still act."""

    owner: str
    job: jobs.Job
    history: tuple[attempts.Attempt, ...]
    phase: Phase = Phase.CLAIMED
    attempt: attempts.Attempt | None = None


@dataclass
class World:
    """Jobs, holds, charges and a clock that is turned by hand."""

    db: engine.Database
    now: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(hours=1))
    holds: list[Hold] = field(default_factory=list)
    job_ids: list[str] = field(default_factory=list)
    charges: Counter[str] = field(default_factory=Counter)
    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    route: routing.Route = field(default_factory=lambda: build.route(KEYED, "plain"))

    async def submit(self, policy: states.OnDoubt) -> None:
        catalog = build.catalog(build.model("a/one", build.endpoint(KEYED, "1"), build.endpoint("plain", "2")))
        new = acceptance.NewRequest(
            sender=acceptance.Sender(schema.DEFAULT_TENANT, tenants.ADMIN_KEY_ID),
            kind=states.Kind.VIDEO,
            request=requests.VideoRequest(model="a/one", prompt="x", on_doubt=policy),
            rules=acceptance.Rules(default_deadline_seconds=86_400),
        )
        receipt = await acceptance.accept(self.db, catalog, frozenset({KEYED, "plain"}), new, self.now)
        self.job_ids.append(receipt.job.id)

    async def beat(self, owner: str) -> None:
        await claims.heartbeat(self.db, owner, "test", LEASE_SECONDS)

    async def fall_silent(self, owner: str) -> None:
        """The lease runs out and the sweep comes by. What the worker remembers, it may still act on."""
        async with self.db.transaction() as connection:
            await connection.execute(
                sa.text("UPDATE processes SET lease_until_at = now() - interval '1 second' WHERE id = :id"),
                {"id": owner},
            )
        await claims.rescue(self.db)

    async def claim(self, owner: str, job_id: str) -> None:
        taken = await claims.claim(self.db, job_id, owner, self.now)
        if taken is not None:
            self.holds.append(Hold(owner, taken.job, taken.history))

    async def take_polls(self, owner: str) -> None:
        for due in await polls.take(self.db, self.now, 10, lambda _: 0.0):
            claim = await claims.claim_poll(self.db, due.job_id, due.attempt_id, owner)
            if claim is not None:
                self.holds.append(Hold(owner, claim.job, (), Phase.POLLING, claim.history[-1]))

    async def cancel(self, job_id: str) -> None:
        if job_id not in self.ended:
            await job_services.request_cancel(self.db, schema.DEFAULT_TENANT, job_id, self.now)

    async def act(self, hold: Hold, outcome: Outcome) -> None:
        """One small step of a worker. Raises LostClaimError or StaleAttemptError; the hold is done with then."""
        if hold.phase is Phase.CLAIMED:
            await self._claimed(hold)
        elif hold.phase is Phase.BEGUN and hold.attempt is not None:
            hold.attempt = await ask_services.mark_sent(self.db, hold.job, hold.attempt, self.now)
            hold.phase = Phase.SENT
        elif hold.phase is Phase.SENT and hold.attempt is not None:
            await self._ask(hold, hold.attempt, outcome)
        elif hold.attempt is not None:
            await self._polled(hold, hold.attempt, outcome)

    def drop(self, hold: Hold) -> None:
        self.holds.remove(hold)

    async def _claimed(self, hold: Hold) -> None:
        last = hold.history[-1] if hold.history else None
        if hold.job.cancel_requested_at is not None:
            ending = jobs.Ending(states.JobStatus.CANCELLED, "cancelled", "x", states.Billed.UNKNOWN)
            await completion.end(self.db, hold.job, ending, self.now)
            self.drop(hold)
        elif hold.job.step is states.Step.COLLECT and last is not None:
            await completion.complete(self.db, hold.job, last, [self._output(hold.job)], 1, self.now)
            self.drop(hold)
        elif last is not None and last.status in {states.AttemptStatus.INTENDED, states.AttemptStatus.SENT}:
            await self._settle(hold, last)
        else:
            await self._plan(hold)

    async def _settle(self, hold: Hold, last: attempts.Attempt) -> None:
        if last.status is states.AttemptStatus.SENT and last.provider == KEYED:
            hold.attempt = await attempt_services.mark_asked_again(self.db, hold.job, last)
            hold.phase = Phase.SENT
            return
        sent = last.status is states.AttemptStatus.SENT
        status = states.AttemptStatus.IN_DOUBT if sent else states.AttemptStatus.NOT_SENT
        fault = faults.Fault(faults.FaultKind.IN_DOUBT, "x") if sent else None
        await attempt_services.ended_badly(self.db, hold.job, last, status, fault, self.now)
        self.drop(hold)

    async def _plan(self, hold: Hold) -> None:
        plan = planning.next_ask(self.route, hold.history, planning.Wishes(hold.job.on_doubt), self.now)
        if isinstance(plan, planning.GiveUp):
            ending = jobs.Ending.of_fault(plan.fault, states.Billed.UNKNOWN)
            await completion.end(self.db, hold.job, ending, self.now)
            self.drop(hold)
        elif plan.at > self.now:
            await claims.release(self.db, hold.job, states.Step.SUBMIT, plan.at)
            self.drop(hold)
        else:
            number = len(hold.history) + 1
            hold.attempt = await ask_services.begin(self.db, hold.job, plan.candidate, 0, number, self.now)
            hold.phase = Phase.BEGUN

    async def _ask(self, hold: Hold, attempt: attempts.Attempt, outcome: Outcome) -> None:
        """The bytes leave. Whether we live to write down the answer is another step's luck: a cut loses it."""
        if outcome is not Outcome.REFUSED and not (attempt.provider == KEYED and self.charges[attempt.reference]):
            self.charges[attempt.reference] += 1
        self.drop(hold)
        status, fault = states.AttemptStatus.REFUSED, faults.Fault(faults.FaultKind.UNAVAILABLE, "x")
        if outcome is Outcome.ACCEPTED:
            upstream_id = f"up-{attempt.reference}"
            await attempt_services.accepted(self.db, hold.job, attempt, upstream_id, self.now, self.now)
        elif outcome is Outcome.DONE:
            await self._done(hold, attempt)
        elif outcome is Outcome.REFUSED:
            await attempt_services.ended_badly(self.db, hold.job, attempt, status, fault, self.now)
        else:
            await claims.release(self.db, hold.job, states.Step.SUBMIT, self.now)

    async def _done(self, hold: Hold, attempt: attempts.Attempt) -> None:
        source = outputs.Source(text="x")
        await attempt_services.succeeded(self.db, hold.job, attempt_services.Win(attempt, [source]), self.now)

    async def _polled(self, hold: Hold, attempt: attempts.Attempt, outcome: Outcome) -> None:
        self.drop(hold)
        if outcome is Outcome.DONE:
            await self._done(hold, attempt)
        elif outcome is Outcome.REFUSED:
            fault = faults.Fault(faults.FaultKind.UNAVAILABLE, "x")
            await attempt_services.ended_badly(
                self.db, hold.job, attempt, states.AttemptStatus.FAILED, fault, self.now, cost_micros=1
            )
        else:
            await claims.release(self.db, hold.job, states.Step.POLL, self.now)

    def _output(self, job: jobs.Job) -> outputs.Output:
        return outputs.Output(
            id=ids.new(ids.Prefix.OUTPUT),
            job_id=job.id,
            tenant_id=job.tenant_id,
            number=0,
            variant=outputs.Variant.MAIN,
            key=job.id,
            media_type="text/plain",
            size_bytes=1,
            sha256="0" * 64,
            created_at=self.now,
        )


Choice = Callable[[], Outcome]

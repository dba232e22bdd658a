"""Jobs that are claimed, and attempts at one endpoint in whatever state a test needs; two workers' view of its room."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from shared import clock, ids
from shared.db import engine, schema
from shared.db.tables import attempts as tables
from shared.domain import attempts, capacity, models, routing, states, tenants
from shared.services import acceptance, claims
from shared.services import asks as ask_services
from shared.services import capacity as capacity_services
from tests.unit.domain import build

OWNER = "prc_test"
NOBODY_LISTENS = "redis://127.0.0.1:1/0"


@dataclass
class Bench:
    """One model `a/one` at one provider `acme`."""

    db: engine.Database
    redis_url: str
    opened: list[capacity_services.Capacity] = field(default_factory=list)

    def catalog(self, concurrency: int, per_minute: int) -> models.Catalog:
        limits = models.Limits(concurrency=concurrency, requests_per_minute=per_minute)
        return build.catalog(build.model("a/one", build.endpoint("acme", limits=limits)))

    def worker(self, redis_url: str | None = None) -> capacity_services.Capacity:
        made = capacity_services.Capacity(self.db, redis_url or self.redis_url)
        self.opened.append(made)
        return made

    async def claim(self) -> claims.Claim:
        """A new job, held by this process."""
        new = acceptance.NewRequest(
            sender=acceptance.Sender(schema.DEFAULT_TENANT, tenants.ADMIN_KEY_ID),
            kind=states.Kind.VIDEO,
            request=build.video(),
            rules=acceptance.Rules(3600),
        )
        receipt = await acceptance.accept(self.db, self.catalog(9, 999), frozenset({"acme"}), new, clock.now())
        taken = await claims.claim(self.db, receipt.job.id, OWNER, clock.now())
        assert taken is not None
        return taken

    async def ask(
        self,
        room: capacity_services.Capacity,
        concurrency: int,
        *,
        per_minute: int = 999,
        credentials: Sequence[int] = (0,),
    ) -> attempts.Attempt | float:
        """What a worker does with a job: the attempt that was begun, or the seconds to wait."""
        claim = await self.claim()
        [candidate] = routing.decide(
            claim.request, self.catalog(concurrency, per_minute), frozenset({"acme"})
        ).candidates
        demand = capacity.Demand("a/one", "acme", f"{claim.job.id}.1", credentials, concurrency, per_minute)
        try:
            place = await room.take(demand)
            turn = ask_services.Turn(place.demand if place.credential is None else None)
            return await ask_services.begin(self.db, claim.job, candidate, place.credential or 0, 1, clock.now(), turn)
        except capacity.FullError as full:
            return full.seconds

    async def past(self, ages: Sequence[float], provider: str = "acme", **fields: Any) -> None:
        """Attempts that ended so many seconds ago; each took two seconds unless told otherwise."""
        claim = await self.claim()
        now, seconds = clock.now(), fields.pop("seconds", 2.0)
        made = [self._row(claim, number, provider, now, age, seconds) | fields for number, age in enumerate(ages)]
        async with self.db.transaction() as connection:
            await connection.execute(sa.insert(tables.attempts), made)

    def _row(
        self, claim: claims.Claim, number: int, provider: str, now: datetime, age: float, seconds: float
    ) -> dict[str, Any]:
        finished_at = now - timedelta(seconds=age)
        sent_at = finished_at - timedelta(seconds=seconds)
        return {
            "id": ids.new(ids.Prefix.ATTEMPT),
            "job_id": claim.job.id,
            "number": number + 1,
            "model": "a/one",
            "provider": provider,
            "upstream_model": "m",
            "reference": f"{claim.job.id}.{number + 1}",
            "status": states.AttemptStatus.SUCCEEDED,
            "created_at": sent_at,
            "sent_at": sent_at,
            "finished_at": finished_at,
        }


@pytest.fixture
async def bench(database: engine.Database, redis_url: str) -> AsyncIterator[Bench]:
    made = Bench(database, redis_url)
    yield made
    for each in made.opened:
        await each.close()

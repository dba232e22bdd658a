"""A courier in this process on a real Postgres, a receiver on a real socket, and a clock that tests turn."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from shared import clock, ids
from shared.db import acceptance, engine, events, schema
from shared.domain import deliveries, jobs, receivers, states, tenants, tries
from shared.domain import events as domain_events
from shared.outbound import addresses, posts, targets
from shared.services import deliveries as delivery_services
from shared.services import receivers as services
from shared.services import signing
from shared.webhooks import sealing
from tests.integration.webhooks import desk
from workers import courier

TENANT = schema.DEFAULT_TENANT
LOOPBACK = addresses.parse_networks(["127.0.0.0/8"])
GUARD = targets.Guard(LOOPBACK, LOOPBACK, allow_http=True, ports=frozenset())
RETRIES = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)


def failed_try(due: deliveries.Due, at: datetime) -> tries.Try:
    return tries.Try(due.delivery.id, due.delivery.try_count + 1, due.delivery.trigger, at, 1.0, None, "timeout", None)


class TurnableClock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> TurnableClock:
    """The hands of the clock that everything in this process reads."""
    made = TurnableClock()
    monkeypatch.setattr(clock, "now", made.now)
    return made


@pytest.fixture
async def receiver_desk() -> AsyncIterator[desk.Desk]:
    async with desk.opened() as made:
        yield made


@pytest.fixture
async def other_desk() -> AsyncIterator[desk.Desk]:
    async with desk.opened() as made:
        yield made


@dataclass
class Bench:
    """What a test of deliveries needs."""

    db: engine.Database
    keyring: signing.Keyring
    limits: receivers.Limits
    couriers: list[courier.Courier]

    async def receiver(self, url: str, **fields: object) -> receivers.Receiver:
        wish = services.Wish(url, "", None, {}, enabled=True)
        wish = replace(wish, **fields)  # type: ignore[arg-type]
        return await services.create(self.db, self.keyring, GUARD, TENANT, wish, 1000, clock.now())

    async def secret(self, owner: str) -> str:
        return (await signing.reveal(self.db, self.keyring.sealer, owner, TENANT, clock.now())).secret

    async def job(self, webhook: jobs.Webhook | None = None) -> str:
        """A queued job, with its first event."""
        now = clock.now()
        new = jobs.NewJob(
            id=ids.new(ids.Prefix.JOB),
            tenant_id=TENANT,
            key_id=tenants.ADMIN_KEY_ID,
            kind=states.Kind.IMAGE,
            model="sandbox/image",
            priority=5,
            on_doubt=states.OnDoubt.FAIL,
            created_at=now,
            deadline_at=now + timedelta(days=30),
            metadata={"order": "17"},
            estimate_micros=50_000,
            request={},
            prices={},
            webhook=webhook,
        )
        async with self.db.transaction() as connection:
            await acceptance.insert_job(connection, new)
        return new.id

    async def happen(self, job_id: str, kind: domain_events.EventType) -> domain_events.Event:
        async with self.db.transaction() as connection:
            return await events.append(connection, job_id, TENANT, kind, clock.now(), {})

    async def deliver(self) -> None:
        """Let the courier send everything that is due now."""
        self.couriers[0].wake()
        await self.couriers[0].rest()

    async def next_at(self) -> datetime | None:
        return await delivery_services.next_at(self.db, self.limits)

    def another_courier(self, seconds: float = 0.5) -> courier.Courier:
        poster = posts.Poster(GUARD, total_seconds=seconds)
        rules = courier.Rules(RETRIES, self.limits)
        made = courier.Courier(self.db, self.keyring, poster, ids.new(ids.Prefix.PROCESS), rules)
        made.start()
        self.couriers.append(made)
        return made


@pytest.fixture
async def bench(database: engine.Database) -> AsyncIterator[Bench]:
    made = Bench(database, signing.Keyring(sealing.Sealer("a key for tests")), receivers.Limits(), [])
    made.another_courier()
    yield made
    for one in made.couriers:
        await one.close()

"""One of everything a tenant can own, made the way callers and workers make it."""

from dataclasses import dataclass

import httpx
import sqlalchemy as sa

from shared import clock, ids
from shared.db import engine
from shared.db.tables import metadata
from shared.domain import budgets, keys, outputs
from shared.services import acceptance, completion
from shared.storage import objects as storage
from tests.integration.tenants import conftest, money

# Who was seen when, and what a GET may write, is nobody's property.
UNSEEN = frozenset({"processes", "canaries", "idempotency"})


@dataclass(frozen=True)
class Possessions:
    """What belongs to one tenant, by the names that routes give to ids; and a client of this tenant."""

    ids: dict[str, str]
    client: httpx.AsyncClient


async def make(house: conftest.House, database: engine.Database, objects: storage.Objects) -> Possessions:
    """A tenant with keys, budget, and a completed job with a stored output."""
    tenant_id = await money.tenant(database)
    shown = await house.key(tenant_id, frozenset({keys.Scope.ADMIN}))
    spare = await house.key(tenant_id)
    by = acceptance.Sender(tenant_id, spare.key.id)
    budget_id = await money.budget(database, by, 10**9, budgets.Period.DAY, for_key=True)
    job_id = await _completed_job(database, objects, by)
    client = await house.client(shown.secret)
    receiver = (await client.post("/v1/webhook-receivers", json={"url": "https://93.184.215.14/hook"})).json()["id"]
    delivery = (await client.post(f"/v1/webhook-receivers/{receiver}/test")).json()["delivery_id"]
    return Possessions(
        {
            "tenant_id": tenant_id,
            "key_id": spare.key.id,
            "budget_id": budget_id,
            "job_id": job_id,
            "number": "0",
            "receiver_id": receiver,
            "delivery_id": delivery,
        },
        client,
    )


async def _completed_job(database: engine.Database, objects: storage.Objects, by: acceptance.Sender) -> str:
    worker = money.Worker(database)
    claim = await worker.start(await money.submit(database, by))
    assert claim is not None
    assert claim.last is not None
    place = outputs.Place(by.tenant_id, claim.job.id, claim.last.id, claim.job.created_at, 0)
    output = outputs.Output(
        id=ids.new(ids.Prefix.OUTPUT),
        job_id=claim.job.id,
        tenant_id=by.tenant_id,
        number=0,
        variant=outputs.Variant.MAIN,
        key=outputs.key_for(place, outputs.Variant.MAIN, "png"),
        media_type="image/png",
        size_bytes=10,
        sha256="0" * 64,
        created_at=clock.now(),
        expires_at=clock.now() + (claim.job.deadline_at - claim.job.created_at),
    )
    await objects.put(output.key, b"0123456789", output.media_type)
    await completion.complete(database, claim.job, claim.last, [output], 40_000, clock.now())
    return claim.job.id


async def fingerprint(database: engine.Database) -> dict[str, str]:
    """A hash of every table: the same before and after means nothing was changed."""
    found = {}
    async with database.transaction() as connection:
        for table in metadata.metadata.sorted_tables:
            if table.name in UNSEEN:
                continue
            row = "(to_jsonb(t) - 'last_used_at')::text"
            query = f"SELECT coalesce(md5(string_agg({row}, '' ORDER BY {row})), '') FROM {table.name} t"  # noqa: S608 - our own names
            found[table.name] = str((await connection.execute(sa.text(query))).scalar_one())
    return found

"""What has expired is deleted and says so; what may not be stored is forgotten; and the gauges go back to zero."""

from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

from shared import clock, errors, ids
from shared.db import attempts as attempt_rows
from shared.db import engine, ledger
from shared.db import jobs as job_rows
from shared.db import upkeep as rows
from shared.db.tables import jobs as tables
from shared.domain import jobs, outputs
from shared.services import acceptance, completion, upkeep
from shared.services import jobs as job_services
from shared.services import outputs as output_services
from shared.storage import objects as storage
from shared.storage import troubles
from tests.integration.tenants import conftest, money

NOTHING_LEFT = rows.Backlog(0, 0, 0, 0, 0)
PROMPT = "A secret lighthouse"


async def completed(
    db: engine.Database, bucket: storage.Objects, by: acceptance.Sender, **fields: object
) -> tuple[jobs.Job, outputs.Output]:
    """A job with one stored output that expires in a day, and a text in its attempt."""
    request = money.IMAGE.model_copy(update={"prompt": PROMPT, **fields})
    claim = await money.Worker(db).start(await money.submit(db, by, request))
    assert claim is not None
    assert claim.last is not None
    output = outputs.Output(
        id=ids.new(ids.Prefix.OUTPUT),
        job_id=claim.job.id,
        tenant_id=by.tenant_id,
        number=0,
        variant=outputs.Variant.MAIN,
        key=f"{by.tenant_id}/{claim.job.id}",
        media_type="image/png",
        size_bytes=5,
        sha256="0" * 64,
        created_at=clock.now(),
        expires_at=clock.now() + timedelta(days=1),
    )
    await bucket.put(output.key, b"bytes", output.media_type)
    async with db.transaction() as connection:
        await attempt_rows.succeed(connection, claim.last.id, (outputs.Source(text=PROMPT),), None)
    return await completion.complete(db, claim.job, claim.last, [output], 0, clock.now()), output


async def traces(db: engine.Database, job: jobs.Job) -> tuple[bool, bool]:
    """Whether prompt and result are still in the database."""
    async with db.transaction() as connection:
        request = await job_rows.request_body(connection, job.tenant_id, job.id)
        [attempt] = await attempt_rows.of_job(connection, job.id)
    return request is not None, bool(attempt.sources)


async def fetch(db: engine.Database, job: jobs.Job, seconds: float = 0) -> outputs.Output:
    now = clock.now() + timedelta(seconds=seconds)
    return await output_services.find(db, job.tenant_id, job.id, 0, outputs.Variant.MAIN, now)


async def test_an_expired_output_is_gone_erased_and_marked(database: engine.Database, objects: storage.Objects) -> None:
    by = await money.sender(database, await money.tenant(database))
    job, output = await completed(database, objects, by)
    kept, kept_output = await completed(database, objects, by)
    async with database.transaction() as connection:
        await connection.execute(
            sa.text("UPDATE outputs SET expires_at = expires_at + interval '1 day' WHERE job_id = :id"), {"id": kept.id}
        )
    later = clock.now() + timedelta(days=1, seconds=1)
    assert (await upkeep.backlog(database, later)).expired == 1
    assert (await upkeep.run(database, objects, later)).expired_jobs == 1
    with pytest.raises(errors.GoneError):
        await fetch(database, job)
    assert await traces(database, job) == (True, False)
    done = await upkeep.run(database, objects, later + timedelta(minutes=2))
    assert done.erased_objects == 1
    with pytest.raises(troubles.ObjectMissingError):
        await objects.head(output.key)
    assert (await objects.head(kept_output.key)).size_bytes == 5
    assert (await fetch(database, kept)).key == kept_output.key
    assert (await upkeep.run(database, objects, later + timedelta(minutes=4))).erased_objects == 0
    shown = await job_services.get(database, job.tenant_id, job.id)
    assert shown.outputs[0].deleted_at is not None


async def test_bytes_that_could_not_be_erased_are_erased_later(
    database: engine.Database, objects: storage.Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = await money.sender(database, await money.tenant(database))
    job, output = await completed(database, objects, by)

    async def away(_: object) -> None:
        raise troubles.StorageUnavailableError

    with monkeypatch.context() as patched:
        patched.setattr(objects, "delete", away)
        await job_services.delete(database, objects, job.tenant_id, job.id, clock.now())
        later = clock.now() + timedelta(minutes=2)
        assert await upkeep.erase(database, objects, later) == 0
        assert (await upkeep.backlog(database, later)).unerased == 1
    assert await upkeep.erase(database, objects, later) == 1
    with pytest.raises(troubles.ObjectMissingError):
        await objects.head(output.key)
    assert await upkeep.backlog(database, later) == NOTHING_LEFT


async def test_store_false_is_forgotten_once_collected(database: engine.Database, objects: storage.Objects) -> None:
    by = await money.sender(database, await money.tenant(database))
    job, _ = await completed(database, objects, by, store=False)
    assert await upkeep.forget(database, clock.now()) == 0
    assert await traces(database, job) == (True, True)
    await fetch(database, job)
    assert await upkeep.forget(database, clock.now()) == 1
    assert await traces(database, job) == (False, False)
    # A broken download may be tried again for a quarter of an hour; then the bytes go as well.
    await fetch(database, job, 14 * 60)
    with pytest.raises(errors.GoneError):
        await fetch(database, job, 16 * 60)
    wish = job_services.Rerun(by, job.id, money.RULES)
    with pytest.raises(errors.GoneError):
        await job_services.rerun(database, money.CATALOG, money.USABLE, wish, clock.now())


async def test_store_false_is_forgotten_after_an_hour_and_at_once_without_a_result(
    database: engine.Database, objects: storage.Objects
) -> None:
    by = await money.sender(database, await money.tenant(database))
    uncollected, _ = await completed(database, objects, by, store=False)
    stored, _ = await completed(database, objects, by)
    failed = await money.submit(database, by, money.IMAGE.model_copy(update={"store": False}))
    await money.Worker(database).fail(failed)
    assert await upkeep.forget(database, clock.now()) == 1
    assert await traces(database, failed) == (False, False)
    later = clock.now() + timedelta(hours=1, seconds=1)
    assert (await upkeep.backlog(database, later)).unforgotten == 1
    assert await upkeep.forget(database, later) == 1
    assert await traces(database, uncollected) == (False, False)
    assert await traces(database, stored) == (True, True)


async def test_a_forgotten_hold_is_released_and_counted(database: engine.Database, objects: storage.Objects) -> None:
    by = await money.sender(database, await money.tenant(database))
    job = await money.submit(database, by)
    async with database.transaction() as connection:
        await connection.execute(sa.update(tables.jobs).where(tables.jobs.c.id == job.id).values(status="failed"))
    assert (await upkeep.backlog(database, clock.now())).unsettled == 1
    assert (await upkeep.run(database, objects, clock.now())).released_holds == 1
    assert await upkeep.backlog(database, clock.now()) == NOTHING_LEFT
    async with database.transaction() as connection:
        assert await ledger.imbalances(connection) == []


async def test_retention_is_the_jobs_within_its_tenants(house: conftest.House, operator: httpx.AsyncClient) -> None:
    tenant_id = (await operator.post("/v1/tenants", json={"name": "Brief", "retention_seconds": 600})).json()["id"]
    client = await house.client((await house.key(tenant_id)).secret)
    body = {"model": "sandbox/image", "prompt": PROMPT}
    kept = {}
    for asked in (None, 120, 9000):
        wish = {} if asked is None else {"retention_seconds": asked}
        job_id = (await client.post("/v1/images", json=body | wish)).json()["id"]
        kept[asked] = (await job_services.get(house.db, tenant_id, job_id)).job.retention_seconds
    assert kept == {None: 600, 120: 120, 9000: 600}

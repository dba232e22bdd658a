"""Accepting a request, the same for every way of speaking to us."""

import structlog

from api import auth, parts
from shared import clock
from shared.domain import requests, states
from shared.services import acceptance, idempotency


async def accept(
    given: parts.Parts,
    caller: auth.Caller,
    kind: states.Kind,
    request: requests.AnyRequest,
    once: idempotency.Once | None,
    rerun_of: str | None = None,
) -> acceptance.Receipt:
    """Store the job and nudge the relay if it is new. Commits. May be repeated with a key. Raises what
    `acceptance.accept` raises.
    """
    catalog = given.catalog
    new = acceptance.NewRequest(
        sender=caller.sender,
        kind=kind,
        request=request,
        rules=given.rules,
        once=once,
        rerun_of=rerun_of,
        snapshot=given.watch.current,
    )
    receipt = await acceptance.accept(given.db, catalog, given.usable_providers(catalog), new, clock.now())
    announce(given, receipt)
    return receipt


def announce(given: parts.Parts, receipt: acceptance.Receipt) -> None:
    """Put the job into the log line, and nudge the relay if the job is new."""
    structlog.contextvars.bind_contextvars(job_id=receipt.job.id)
    if not receipt.replayed:
        given.hints.give()
        given.news.tell(receipt.job.id, receipt.job.tenant_id)

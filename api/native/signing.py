"""Secrets that verify our webhooks: a receiver's own, and the tenant's for the `webhook_url`s of jobs."""

from datetime import datetime
from typing import Annotated

import fastapi
import pydantic

from api import auth, errors, parts, routing
from api.native import receivers
from shared import clock
from shared.domain import requests as domain
from shared.services import receivers as services
from shared.services import signing

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["webhooks"])


class Secret(pydantic.BaseModel):
    """What verifies our signatures: `secret` for `v1`, `public_key` for `v1a`."""

    secret: str = pydantic.Field(examples=["whsec_…"])
    public_key: str = pydantic.Field(examples=["whpk_…"])
    created_at: datetime
    previous_expires_at: datetime | None = pydantic.Field(description="Until then an older secret signs as well")


class Rotation(domain.Strict):
    """How long the old secret goes on signing beside the new one."""

    overlap_seconds: Annotated[int, pydantic.Field(ge=0, le=30 * 86400)] = 86400


@router.get(
    "/v1/webhook-receivers/{receiver_id}/secret",
    operation_id="get_receiver_secret",
    responses=errors.documented(400, 401, 404),
)
async def get_receiver_secret(receiver_id: receivers.ReceiverId, caller: auth.Manager, given: parts.Given) -> Secret:
    """The secret that verifies what this receiver gets."""
    receiver = await services.get(given.db, caller.tenant_id, receiver_id)
    return _shown(await signing.reveal(given.db, given.keyring.sealer, receiver.id, caller.tenant_id, clock.now()))


@router.post(
    "/v1/webhook-receivers/{receiver_id}/secret/rotate",
    operation_id="rotate_receiver_secret",
    responses=errors.documented(400, 401, 404, 413, 415),
)
async def rotate_receiver_secret(
    receiver_id: receivers.ReceiverId, body: Rotation, caller: auth.Authenticated, given: parts.Given
) -> Secret:
    """Make a new secret. Until the overlap ends, every request carries a signature of the old one as well."""
    receiver = await services.get(given.db, caller.tenant_id, receiver_id)
    return await _rotate(given, receiver.id, caller.tenant_id, body)


@router.get("/v1/webhook-secret", operation_id="get_webhook_secret", responses=errors.documented(400, 401))
async def get_webhook_secret(caller: auth.Manager, given: parts.Given) -> Secret:
    """The secret that verifies what goes to the `webhook_url` of a job."""
    sealer, tenant = given.keyring.sealer, caller.tenant_id
    return _shown(await signing.reveal(given.db, sealer, tenant, tenant, clock.now()))


@router.post(
    "/v1/webhook-secret/rotate",
    operation_id="rotate_webhook_secret",
    responses=errors.documented(400, 401, 413, 415),
)
async def rotate_webhook_secret(body: Rotation, caller: auth.Authenticated, given: parts.Given) -> Secret:
    """Make a new secret for the `webhook_url`s of jobs; the old one goes on signing for the overlap."""
    return await _rotate(given, caller.tenant_id, caller.tenant_id, body)


async def _rotate(given: parts.Parts, owner: str, tenant_id: str, wish: Rotation) -> Secret:
    sealer, now = given.keyring.sealer, clock.now()
    return _shown(await signing.rotate(given.db, sealer, owner, tenant_id, wish.overlap_seconds, now))


def _shown(revealed: signing.Revealed) -> Secret:
    return Secret(
        secret=revealed.secret,
        public_key=revealed.public_key,
        created_at=revealed.created_at,
        previous_expires_at=revealed.previous_expires_at,
    )

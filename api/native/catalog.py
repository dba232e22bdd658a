"""`POST /v1/catalog/reload`: read the catalog's files again, without a restart."""

import asyncio

import fastapi
import pydantic

from api import auth, errors, parts, routing
from shared import clock
from shared.services import catalog, endpoints

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["operations"])


class Catalog(pydantic.BaseModel):
    """What is in use now."""

    models: int
    providers: int


@router.post("/v1/catalog/reload", operation_id="reload_catalog", responses=errors.documented(400, 401, 422))
async def reload_catalog(caller: auth.Admin, given: parts.Given) -> Catalog:
    """Read the catalog again here, and in all processes within seconds; keys that were rejected are trusted again.
    A catalog with faults is refused with all of them, and the old one goes on serving. For operators.
    """
    caller.must_be_operator()
    read = await asyncio.to_thread(catalog.read, given.catalogs)
    await endpoints.wish_reload(given.db, clock.now())
    return Catalog(models=len(read.models), providers=len(read.providers))

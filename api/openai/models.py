"""`/openai/v1/models`."""

from typing import Any

import fastapi

from api import auth, parts, routing
from shared import errors
from shared.services import models

router = fastapi.APIRouter(prefix="/openai/v1", route_class=routing.DialectRoute, include_in_schema=False)


@router.get("/models")
async def list_models(_caller: auth.Authenticated, given: parts.Given) -> dict[str, Any]:
    """The catalog; not in pages."""
    catalog = given.catalog
    views = models.list_all(catalog, given.usable_providers(catalog))
    return {"object": "list", "data": [_model(view) for view in views]}


@router.get("/models/{model_id:path}")
async def retrieve(model_id: str, _caller: auth.Authenticated, given: parts.Given) -> dict[str, Any]:
    """One model."""
    catalog = given.catalog
    try:
        return _model(models.get(catalog, given.usable_providers(catalog), model_id))
    except errors.NotFoundError as error:
        raise errors.UnknownModelError(error.message, param="model", accepted=error.accepted) from None


def _model(view: models.ModelView) -> dict[str, Any]:
    return {
        "id": view.model.id,
        "object": "model",
        "created": 0,  # the catalog knows no dates
        "owned_by": view.model.id.partition("/")[0],
        "name": view.model.name,
        "kind": view.model.kind,
        "available": view.available,
    }

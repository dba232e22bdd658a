"""The catalog: what can be asked for, at what price, and what its providers do with it."""

import fastapi

from api import auth, parts
from api.dashboard import pages
from shared.domain import states
from shared.services import models

router = fastapi.APIRouter(route_class=pages.PageRoute, include_in_schema=False)


@router.get("/models")
async def list_models(
    request: fastapi.Request, _caller: auth.Authenticated, given: parts.Given, kind: str = "", search: str = ""
) -> fastapi.Response:
    """All models that fit."""
    catalog = given.catalog
    usable = given.usable_providers(catalog)
    wanted = states.Kind(kind) if kind in set(states.Kind) else None
    words = search.lower().split()
    found = [
        view
        for view in models.list_all(catalog, usable, wanted)
        if all(word in f"{view.model.id} {view.model.name} {view.model.description}".lower() for word in words)
    ]
    return pages.show(
        request, "models.html", found=found, usable=usable, kinds=list(states.Kind), kind=kind, search=search
    )

"""The catalog: what can be asked for, at what price, and what its providers do with it."""

import fastapi

from api import auth, parts
from api.dashboard import pages
from shared.domain import states
from shared.services import models, offers

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
        for view in models.list_all(catalog, usable, models.Wanted(kind=wanted))
        if all(word in f"{view.model.id} {view.model.name} {view.model.description}".lower() for word in words)
    ]
    return pages.show(
        request,
        "models.html",
        offers=_offers(given, found),
        found=found,
        usable=usable,
        kinds=list(states.Kind),
        kind=kind,
        search=search,
    )


def _offers(given: parts.Parts, found: list[models.ModelView]) -> dict[str, list[offers.OfferView]]:
    catalog, snapshot = given.catalog, given.watch.current
    usable = given.usable_providers(catalog)
    return {view.model.id: offers.of_model(catalog, usable, snapshot, view.model.id) for view in found}

"""The catalog: what can be asked for, at what price, and what its providers do with it."""

import fastapi

from api import auth, parts
from api.dashboard import pages
from shared import clock
from shared.domain import models as catalogs
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
    tests = [view for view in found if _is_test(catalog, view.model)]
    return pages.show(
        request,
        "models.html",
        offers=_offers(given, found),
        pasts=await offers.pasts(given.db, clock.now()),
        groups=[("", [view for view in found if view not in tests]), ("Models of the sandbox", tests)],
        found=found,
        usable=usable,
        kinds=list(states.Kind),
        kind=kind,
        search=search,
    )


def _is_test(catalog: catalogs.Catalog, model: catalogs.Model) -> bool:
    """Whether nobody but the sandbox has it and it is not the plain one: there are many, each to try one fault with."""
    sandboxes = catalog.sandboxes()
    usual = {f"sandbox/{kind}" for kind in states.Kind}
    return model.id not in usual and all(endpoint.provider in sandboxes for endpoint in model.endpoints)


def _offers(given: parts.Parts, found: list[models.ModelView]) -> dict[str, list[offers.OfferView]]:
    catalog, snapshot = given.catalog, given.watch.current
    usable = given.usable_providers(catalog)
    return {view.model.id: offers.of_model(catalog, usable, snapshot, view.model.id) for view in found}

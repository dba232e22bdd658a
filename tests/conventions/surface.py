"""The API as it is put together for a process, without connecting to anything."""

from collections.abc import Iterator

import fastapi
from fastapi import dependencies, routing
from pydantic import SecretStr

from api import app, auth
from shared import settings

ADMIN_KEY = "the-key-of-the-convention-tests"


def application() -> fastapi.FastAPI:
    return app.create_app(settings.Settings(admin_key=SecretStr(ADMIN_KEY), bad_keys_per_minute=0))


def routes(of: fastapi.FastAPI) -> list[routing.RouteContext]:
    """Every route, those of included routers too, as a request meets it."""
    return list(routing.iter_route_contexts(of.routes))


def declares_its_caller(route: routing.RouteContext) -> bool:
    """Whether somewhere in its dependencies the route asks who is calling."""
    if not isinstance(route.original_route, routing.APIRoute):
        return False
    return any(dependant.call is auth.caller for dependant in _all(route.dependant))


def _all(dependant: dependencies.models.Dependant) -> Iterator[dependencies.models.Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _all(inner)

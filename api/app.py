"""The composition root of the API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata

import fastapi
from fastapi import routing
from fastapi.middleware import cors

from api import errors, middleware, openapi, parts
from api.native import (
    audit,
    budgets,
    catalog,
    deliveries,
    endpoints,
    estimates,
    events,
    images,
    jobs,
    keys,
    models,
    outputs,
    receivers,
    routes,
    signing,
    tenants,
    texts,
    usage,
    videos,
)
from api.operations import callbacks, health
from shared import settings

ROUTERS = (
    videos.router,
    images.router,
    texts.router,
    jobs.router,
    outputs.router,
    # Before the models: their ids may hold slashes.
    endpoints.router,
    models.router,
    estimates.router,
    routes.router,
    catalog.router,
    receivers.router,
    signing.router,
    deliveries.router,
    events.router,
    usage.router,
    keys.router,
    budgets.router,
    tenants.router,
    audit.router,
    health.router,
    callbacks.router,
)

DESCRIPTION = """\
Submit a long generation, come back later, collect it.

`POST` a request: the answer is `202` with an id and a `polling_url`. `GET` that URL (with `?wait=20` it holds the
answer until something changes) until `status` is `completed`, `failed`, `cancelled` or `expired`. Then download the
`url` of each output.

Send `Authorization: Bearer <key>`. Every answer has an `X-Request-Id`; every error has a `code` from a closed set.
"""


def create_app(configured: settings.Settings) -> fastapi.FastAPI:
    """The application. Raises ValueError or CatalogError for settings it cannot run with; connects to nothing yet."""
    made = parts.build(configured)
    app = fastapi.FastAPI(
        title="genqueue",
        summary="A self-hosted, asynchronous job platform for video, image and text generation.",
        description=DESCRIPTION,
        version=metadata.version("genqueue"),
        lifespan=_lifespan,
        # A redirect would be made from the Host header, and drops the body of a POST in many clients.
        redirect_slashes=False,
    )
    app.state.parts = made
    app.state.allowed_methods = _allowed_methods
    for router in ROUTERS:
        app.include_router(router)
    errors.install(app)
    # The one added last is the outermost.
    app.add_middleware(middleware.BodyLimit, limit_bytes=configured.max_body_bytes)
    app.add_middleware(middleware.HeaderLimit, limit_bytes=configured.max_header_bytes)
    if configured.cors_origins:
        _allow_browsers(app, configured.cors_origins)
    app.add_middleware(middleware.RequestContext)
    openapi.finish(app)
    return app


def _allow_browsers(app: fastapi.FastAPI, origins: list[str]) -> None:
    """Without credentials: a key in a page is the page's own doing, a cookie would be ours."""
    app.add_middleware(
        cors.CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-Api-Key", "X-Request-Id"],
        expose_headers=["Location", "Retry-After", "X-Request-Id", "RateLimit", "RateLimit-Policy"],
    )


@asynccontextmanager
async def _lifespan(app: fastapi.FastAPI) -> AsyncIterator[None]:
    made: parts.Parts = app.state.parts
    await made.start()
    try:
        yield
    finally:
        await made.close()


def _allowed_methods(path: str) -> list[str]:
    """What a path knows, over all its routes: Starlette's own Allow header names one route's only."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, routing.APIRoute)]
    known = {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}
    return sorted(known) or ["GET", "HEAD"]

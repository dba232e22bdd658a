"""The composition root of the API."""

import functools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import metadata

import fastapi
from fastapi import routing
from fastapi.middleware import cors

from api import dialects, errors, middleware, openapi, parts, shortcuts
from api.dashboard import routers as pages
from api.native import (
    audit,
    batch_results,
    batches,
    budgets,
    catalog,
    deliveries,
    embeddings,
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
from api.operations import callbacks, health, metrics
from shared import settings

ROUTERS = (
    videos.router,
    images.router,
    texts.router,
    embeddings.router,
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
    batches.router,
    batch_results.router,
    health.router,
    metrics.router,
    *pages.ALL,
    callbacks.router,
)

# The operations that are asked all the time (shortcuts.py).
BUSIEST = ("create_video", "create_image", "create_text", "get_job", "follow_job", "follow_batch")

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
        # Their pages are made of scripts from other hosts; ours is dashboard/reference.py.
        docs_url=None,
        redoc_url=None,
        # We have our own (shared/tracing.py, shared/metrics.py); FastAPI's would write down messages of exceptions.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.parts = made
    app.state.dialects = dialects.find()
    routers = [*ROUTERS, *(router for dialect in app.state.dialects for router in dialect.routers)]
    app.state.allowed_methods = functools.partial(_allowed_methods, routers)
    for router in routers:
        app.include_router(router)
    errors.install(app)
    uploads = {path: configured.max_file_bytes for dialect in app.state.dialects for path in dialect.uploads}
    # The one added last is the outermost.
    app.add_middleware(shortcuts.Shortcuts, found=shortcuts.of(ROUTERS, BUSIEST))
    app.add_middleware(
        middleware.BodyLimit, limit_bytes=configured.max_body_bytes, larger=uploads | _larger_bodies(configured)
    )
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


def _larger_bodies(configured: settings.Settings) -> dict[str, int]:
    """Paths whose bodies are streamed to the bucket, with room for the rest of the form."""
    return dict.fromkeys(("/v1/batches", "/batches"), configured.max_batch_bytes + configured.max_body_bytes)


def _allowed_methods(routers: Sequence[fastapi.APIRouter], path: str) -> list[str]:
    """What a path knows, over all its routes: Starlette's own Allow header names one route's only."""
    routes = [route for router in routers for route in router.routes if isinstance(route, routing.APIRoute)]
    known = {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}
    return sorted(known) or ["GET", "HEAD"]

"""`/metrics`, for Prometheus: this process's counters and the gauges of the installation."""

import fastapi
import prometheus_client

from api import auth, errors, parts, routing
from shared import metrics

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["operations"])


@router.get(
    "/metrics",
    operation_id="metrics",
    response_class=fastapi.Response,
    responses={200: {"content": {"text/plain": {}}}, **errors.documented(400, 401, 403)},
)
async def read(_caller: auth.Operator, given: parts.Given) -> fastapi.Response:
    """Prometheus' text form. Gauges are read from the database at most every five seconds."""
    await given.gauges.refresh()
    body = metrics.rendered() + metrics.rendered(given.gauge_registry)
    return fastapi.Response(body, media_type=prometheus_client.CONTENT_TYPE_LATEST)

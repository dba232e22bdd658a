"""`/metrics` of a worker or the relay, on a port of its own: off unless GENQUEUE_METRICS_PORT is set."""

import prometheus_client
import structlog

from shared import logs, metrics, settings

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


def serve(configured: settings.Settings) -> None:
    """Answer scrapes from a thread until the process ends. A taken port is told and does not stop the process."""
    if not configured.metrics_port:
        return
    try:
        prometheus_client.start_http_server(configured.metrics_port, configured.metrics_host, metrics.REGISTRY)
    except OSError as error:
        _log.error("metrics_port_taken", port=configured.metrics_port, error=str(error))

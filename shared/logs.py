"""Structured logs: one JSON object a line, with the ids bound to the context. Never a prompt, output or key."""

import logging
import sys
from collections.abc import Callable
from typing import Any, Literal

import orjson
import structlog


def configure(level: str, style: Literal["json", "console"]) -> None:
    """Send structlog and the standard library's logging to stdout. May be repeated."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    last: structlog.types.Processor = (
        structlog.processors.JSONRenderer(serializer=_json) if style == "json" else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")


def _json(event: object, default: Callable[[Any], Any]) -> str:
    return orjson.dumps(event, default=default, option=orjson.OPT_NON_STR_KEYS).decode()


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for one module."""
    return structlog.stdlib.get_logger(module=name)

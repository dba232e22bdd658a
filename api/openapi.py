"""What the OpenAPI says beyond what FastAPI finds out by itself."""

from typing import Any

import fastapi
from pydantic import json_schema

from api import errors, idempotency
from api.native import batch_bodies

_Schema = dict[str, Any]
# Bodies of routes that read them by themselves, as the routes' own OpenAPI names them.
_BODIES = (batch_bodies.BatchFields, batch_bodies.BatchFromUrl, batch_bodies.BatchFromFile)


def finish(app: fastapi.FastAPI) -> None:
    """Let the app describe itself as it is, once, when it is first asked."""
    original = app.openapi

    def openapi() -> _Schema:
        if app.openapi_schema is None:
            schema = original()
            _drop_422(schema)
            _tell_of_own_bodies(schema)
            for path in schema["paths"].values():
                for method, operation in path.items():
                    _tell_of_bodies(operation)
                    if method == "post" and operation.get("security"):
                        _tell_of_idempotency(operation)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign] # the documented way to extend it


def _drop_422(schema: _Schema) -> None:
    """Take out FastAPI's own 422: we answer 400 in our envelope, and each route says so."""
    for operation in (o for path in schema["paths"].values() for o in path.values()):
        answer = operation["responses"].get("422", {})
        if "HTTPValidationError" in str(answer):
            del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)


def _tell_of_own_bodies(schema: _Schema) -> None:
    made = json_schema.models_json_schema(
        [(body, "validation") for body in _BODIES], ref_template="#/components/schemas/{model}"
    )[1]
    for name, body in made["$defs"].items():
        schema["components"]["schemas"].setdefault(name, body)


def _tell_of_bodies(operation: _Schema) -> None:
    """Whatever takes a body may refuse its size and its media type."""
    if "requestBody" in operation:
        _tell_of(operation, 413, 415)


def _tell_of_idempotency(operation: _Schema) -> None:
    """Every POST takes the header; those that make jobs declare it themselves."""
    name = "Idempotency-Key"
    known = operation.setdefault("parameters", [])
    if not any(item["name"] == name for item in known):
        told = {"required": False, "description": idempotency.DESCRIPTION, "example": "4f1c2a7e-order-17"}
        known.append({"name": name, "in": "header", "schema": {"type": "string"}, **told})
    _tell_of(operation, 400, 409, 422)


def _tell_of(operation: _Schema, *statuses: int) -> None:
    for status in statuses:
        operation["responses"].setdefault(str(status), errors.described(status))
    operation["responses"] = dict(sorted(operation["responses"].items()))

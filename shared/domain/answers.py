"""Whether a text is the answer that was asked for."""

import json

import jsonschema
import referencing

from shared.domain import requests, vectors


def is_json(request: requests.AnyRequest) -> bool:
    """Whether the answer must be JSON."""
    if isinstance(request, requests.EmbeddingRequest):
        return True
    form = request.response_format if isinstance(request, requests.TextRequest) else None
    return form is not None and form.type != "text"


def misfit(request: requests.AnyRequest, text: str) -> str | None:
    """Why the text does not fit the request's response format; None if it does. Never quotes the text."""
    if isinstance(request, requests.EmbeddingRequest):
        return vectors.misfit(text, len(request.input), request.dimensions)
    if not isinstance(request, requests.TextRequest) or request.response_format is None or not is_json(request):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return "The answer is not JSON."
    if request.response_format.json_schema is None:
        return None if isinstance(value, dict) else "The answer is not a JSON object."
    return _misfit_of_schema(value, request.response_format.json_schema)


def _misfit_of_schema(value: object, wanted: requests.JsonSchema) -> str | None:
    # An empty registry: a `$ref` to elsewhere must never make us fetch a URL.
    validator = jsonschema.Draft202012Validator(wanted.schema_, registry=referencing.Registry())
    try:
        fault = next(validator.iter_errors(value), None)
    except referencing.exceptions.Unresolvable:
        return f"The schema {wanted.name!r} points outside itself."
    if fault is None:
        return None
    path = "/".join(str(part) for part in fault.absolute_path) or "the whole answer"
    return f"The answer does not fit the schema {wanted.name!r} at {path}: {fault.validator}."

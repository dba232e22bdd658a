"""`/docs`: the API's own description as a page of ours, for everybody. No script of others, no other host."""

from typing import Any

import fastapi

from api.dashboard import pages

router = fastapi.APIRouter(route_class=pages.PageRoute, include_in_schema=False)


@router.get("/docs")
async def reference(request: fastapi.Request) -> fastapi.Response:
    """Every operation by subject, from the OpenAPI."""
    document: dict[str, Any] = request.app.openapi()
    by_tag: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            shown = {"method": method.upper(), "path": path, **_shown(document, operation)}
            by_tag.setdefault(operation.get("tags", ["other"])[0], []).append(shown)
    return pages.show(request, "reference.html", groups=by_tag, about=document["info"])


def _shown(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    bodies = operation.get("requestBody", {}).get("content", {})
    return {
        "id": operation["operationId"],
        "said": operation.get("description") or operation.get("summary", ""),
        "parameters": [(item["name"], item["in"], _type(item["schema"]), item) for item in _parameters(operation)],
        "bodies": [
            (media_type, _fields(document, content.get("schema", {}))) for media_type, content in bodies.items()
        ],
        "answers": [(status, answer["description"], _example(answer)) for status, answer in _answers(operation)],
    }


def _parameters(operation: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = operation.get("parameters", [])
    return found


def _answers(operation: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return sorted(operation["responses"].items())


def _example(answer: dict[str, Any]) -> object:
    return answer.get("content", {}).get("application/json", {}).get("example")


def _fields(document: dict[str, Any], schema: dict[str, Any]) -> list[tuple[str, str, bool, str]]:
    found = _resolved(document, schema)
    required = set(found.get("required", ()))
    return [
        (name, _type(field), name in required, _resolved(document, field).get("description", ""))
        for name, field in found.get("properties", {}).items()
    ]


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema
    if "$ref" in schema:
        found = document["components"]["schemas"].get(_name(schema), {})
    return found


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _name(schema)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(choice) for choice in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _name(schema: dict[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]

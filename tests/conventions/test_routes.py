"""Every route knows who is calling, or is on the short public list; the OpenAPI file says what the API does."""

import re

import fastapi
import httpx
import pytest
from fastapi import routing

from api import auth
from tests.conventions import generated, surface, tree

APP = surface.application()
ROUTES = surface.routes(APP)
PRIVATE = [route for route in ROUTES if route.path not in auth.PUBLIC_ROUTES]


def test_there_are_routes() -> None:
    assert {"/v1/videos", "/v1/images", "/v1/texts", "/v1/jobs/{job_id}"} <= {route.path for route in PRIVATE}


@pytest.mark.parametrize("route", PRIVATE, ids=lambda route: f"{min(route.methods or {''})} {route.path}")
async def test_a_route_declares_its_caller_and_refuses_strangers(route: routing.RouteContext) -> None:
    assert surface.declares_its_caller(route)
    path = re.sub(r"\{[^}]+\}", "1", route.path or "")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(APP), base_url="http://test") as client:
        for method in route.methods or ():
            answer = await client.request(method, path, headers={"Authorization": "Bearer wrong"})
            assert answer.status_code == 401


def test_the_public_list_names_only_what_exists() -> None:
    assert {route.path for route in ROUTES} >= auth.PUBLIC_ROUTES


def test_an_open_route_is_seen() -> None:
    open_app = fastapi.FastAPI()
    open_app.add_api_route("/open", lambda: None)
    open_app.add_api_route("/closed", lambda: None, dependencies=[fastapi.Depends(auth.caller)])
    declared = {route.path: surface.declares_its_caller(route) for route in surface.routes(open_app)}
    assert not declared["/open"]
    assert declared["/closed"]


def test_the_openapi_file_and_its_page_are_current() -> None:
    assert (tree.ROOT / "docs/openapi.json").read_text() == generated.openapi(), "run: make openapi"
    assert (tree.ROOT / "docs/api.md").read_text() == generated.api_page(), "run: make openapi"

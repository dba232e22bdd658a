"""One tenant never sees, counts, lists, cancels or downloads what belongs to another (promise P6).

Generated from the route table: a route that is not tried here, or answers a foreign id with anything but "there is
nothing", fails.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import fastapi
import httpx
import pytest
from fastapi import routing

from api import auth
from shared.db import engine
from shared.domain import keys
from shared.storage import objects as storage
from tests.conventions import surface
from tests.integration.tenants import conftest, money, possessions

# Routes with an id in them whose thing belongs to nobody: everybody may see it.
SHARED = frozenset(
    {
        "/v1/models/{model_id:path}",
        "/v1/models/{model_id:path}/endpoints",
        "/openai/v1/models/{model_id:path}",
        "/api/v1/images/models/{author}/{slug:path}/endpoints",
        "/api/v1/models/{author}/{slug:path}/endpoints",
        "/api/v1/model/{author}/{slug:path}",
        "/assets/{name}",
    }
)
# Ids that are sent in the query.
QUERIES = {"/api/v1/generation": "?id={job_id}", "/compare": "?job={job_id}"}
# A stream that ends with its batch, which here never ends: only the stranger asks.
ENDLESS = frozenset({"/v1/batches/{batch_id}/events"})
# What shows the whole installation, and so nothing to a tenant.
OPERATORS = frozenset({"/metrics", "/system"})
# What a POST or PATCH needs, so that it is the id that is refused and not the body.
BODIES: dict[str, object] = {
    "/v1/batches/{batch_id}/clone": {"dry_run": True},
    "/openai/v1/videos/{video_id}/remix": {"prompt": "A paper boat, but red"},
    "/v1/keys/{key_id}": {"name": "Mine now"},
    "/api/v1/keys/{key_id}": {"name": "Mine now", "limit": 1},
    "/v1/keys/{key_id}/rotate": {"grace_seconds": 0},
    "/v1/tenants/{tenant_id}": {"name": "Mine now"},
    "/v1/budgets/{budget_id}": {"limit_micros": 1},
    "/v1/webhook-receivers/{receiver_id}": {"description": "Mine now"},
    "/v1/webhook-receivers/{receiver_id}/replay": {"since": "2026-01-01T00:00:00Z"},
    "/v1/webhook-receivers/{receiver_id}/verify": {"headers": {}, "body": ""},
    "/v1/webhook-receivers/{receiver_id}/secret/rotate": {"overlap_seconds": 0},
}
# The same for a form of the dashboard.
FORMS: dict[str, dict[str, str]] = {"/keys/{key_id}/budget": {"usd": "1", "period": "month"}}
# Bodies that name somebody else's things.
SMUGGLED: dict[str, list[dict[str, object]]] = {
    "/v1/keys": [{"name": "x", "tenant_id": "{tenant_id}"}],
    "/api/v1/keys": [{"name": "x", "workspace_id": "{tenant_id}"}],
    "/v1/budgets": [{"period": "day", "limit_micros": 1, "key_id": "{key_id}"}],
}
PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


@dataclass(frozen=True)
class Try:
    """One request with somebody else's ids."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def tries(app: fastapi.FastAPI) -> Iterator[Try]:
    for route in surface.routes(app):
        if route.path in auth.PUBLIC_ROUTES or not isinstance(route.original_route, routing.APIRoute):
            continue
        for method in sorted(route.methods or ()):
            yield Try(method, f"{route.path}{QUERIES.get(route.path or '', '')}")


ALL = list(tries(surface.application()))
WITH_IDS = [one for one in ALL if PARAMETER.search(one.path) and one.path not in SHARED]
LISTS = [one for one in ALL if one.method in ("GET", "HEAD") and not PARAMETER.search(one.path)]


@dataclass(frozen=True)
class Two:
    """A tenant who owns one of everything, and a stranger who may do everything within a tenant of his own."""

    owner: possessions.Possessions
    stranger: httpx.AsyncClient


@pytest.fixture
async def two(house: conftest.House, database: engine.Database, objects: storage.Objects) -> Two:
    owner = await possessions.make(house, database, objects)
    shown = await house.key(await money.tenant(database), frozenset({keys.Scope.ADMIN}))
    return Two(owner, await house.client(shown.secret))


def filled(path: str, ids: dict[str, str]) -> str:
    unknown = set(PARAMETER.findall(path)) - ids.keys()
    assert not unknown, f"{path}: teach possessions.py to make a {unknown}, so that its tenant check is tried"
    return PARAMETER.sub(lambda found: ids[found[1]], path)


@pytest.mark.parametrize("one", WITH_IDS, ids=str)
async def test_a_foreign_id_is_not_there(two: Two, database: engine.Database, one: Try) -> None:
    path = filled(one.path, two.owner.ids)
    before = await possessions.fingerprint(database)
    body = BODIES.get(one.path) if one.method in ("POST", "PATCH", "PUT") else None
    form = FORMS.get(one.path)
    answer = await two.stranger.request(one.method, path, json=body, data=form, follow_redirects=False)
    assert answer.status_code == 404, answer.text
    assert await possessions.fingerprint(database) == before
    if one.path in ENDLESS:
        return
    # The same request by its owner finds something: it was the tenant that was refused.
    mine = await two.owner.client.request(one.method, path, json=body, data=form, follow_redirects=False)
    assert mine.status_code not in (400, 401, 404, 405), mine.text


@pytest.mark.parametrize("one", LISTS, ids=str)
async def test_a_list_holds_nothing_foreign(two: Two, one: Try) -> None:
    answer = await two.stranger.request(one.method, one.path)
    assert answer.status_code == 403 if one.path in OPERATORS else answer.status_code < 400, answer.text
    assert [name for name in two.owner.ids.values() if len(name) > 10 and name in answer.text] == []


@pytest.mark.parametrize("path", SMUGGLED, ids=str)
async def test_a_foreign_id_in_a_body_is_not_there(two: Two, database: engine.Database, path: str) -> None:
    before = await possessions.fingerprint(database)
    for body in SMUGGLED[path]:
        sent = {
            name: str(value).format(**two.owner.ids) if isinstance(value, str) else value
            for name, value in body.items()
        }
        assert (await two.stranger.post(path, json=sent)).status_code == 404
    assert await possessions.fingerprint(database) == before


async def test_a_foreign_key_in_a_query_counts_nothing(two: Two) -> None:
    key_id = two.owner.ids["key_id"]
    answer = (await two.stranger.get(f"/v1/usage?key_id={key_id}&group_by=key")).json()
    assert (answer["data"], answer["cost_micros"]) == ([], 0)
    assert (await two.owner.client.get(f"/v1/usage?key_id={key_id}")).json()["cost_micros"] > 0


async def test_a_foreign_workspace_is_not_there(two: Two) -> None:
    tenant_id, key_id = two.owner.ids["tenant_id"], two.owner.ids["key_id"]
    for path in ("keys", "activity"):
        assert (await two.stranger.get(f"/api/v1/{path}?workspace_id={tenant_id}")).status_code == 404
    assert (await two.stranger.get(f"/api/v1/activity?api_key_hash={key_id}")).json() == {"data": []}
    assert (await two.owner.client.get(f"/api/v1/activity?api_key_hash={key_id}")).json()["data"]


async def test_bytes_lie_under_their_tenant_and_signed_urls_are_short(two: Two) -> None:
    job_id = two.owner.ids["job_id"]
    answer = await two.owner.client.get(f"/v1/jobs/{job_id}/outputs/0?stream=false")
    url = httpx.URL(answer.headers["Location"])
    assert f"/{two.owner.ids['tenant_id']}/" in url.path
    assert int(url.params["X-Amz-Expires"]) <= 900


def test_a_route_that_is_not_tried_is_seen() -> None:
    app = fastapi.FastAPI()
    app.add_api_route("/v1/planted/{planted_id}", lambda planted_id: planted_id, methods=["GET"])
    [planted] = [one for one in tries(app) if "planted" in one.path]
    with pytest.raises(AssertionError, match="planted_id"):
        filled(planted.path, {"job_id": "job_x"})


def test_every_route_is_tried() -> None:
    tried = {(one.method, one.path) for one in (*WITH_IDS, *LISTS)}
    left = {str(one) for one in ALL if (one.method, one.path) not in tried and one.path not in SHARED}
    # Only POSTs that make something new, under the caller's own tenant, are left.
    assert all(one.startswith("POST ") for one in left)
    assert set(SMUGGLED) <= {one.removeprefix("POST ") for one in left}

"""The routes of receivers, deliveries and events, and what bad input gets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asgi_lifespan
import httpx
import pydantic
import pytest
from standardwebhooks import webhooks

from api import app
from shared import settings
from shared.db import engine
from shared.domain import events
from tests.integration.webhooks import conftest, desk

URL = "https://93.184.216.34/hook"
VIDEO = {"model": "sandbox/video", "prompt": "A paper boat", "duration": 2}


@contextlib.asynccontextmanager
async def serving(configured: settings.Settings, **changes: object) -> AsyncIterator[httpx.AsyncClient]:
    changed = configured.model_copy(update=changes)
    made = app.create_app(changed)
    async with asgi_lifespan.LifespanManager(made):
        key = {"Authorization": f"Bearer {changed.admin_key.get_secret_value()}"}
        transport = httpx.ASGITransport(made)
        async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=key, timeout=30) as client:
            yield client


@pytest.fixture
async def client(database: engine.Database, configured: settings.Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(configured, max_receivers=3) as made:
        yield made


@pytest.fixture
async def local(database: engine.Database, configured: settings.Settings) -> AsyncIterator[httpx.AsyncClient]:
    """An API that may call this machine, and seals with the key of the bench."""
    loopback = {"allowed_networks": ["127.0.0.0/8"], "allowed_local_networks": ["127.0.0.0/8"]}
    free: dict[str, Any] = {"allow_plain_http": True, "outbound_ports": []}
    key = {"secret_key": pydantic.SecretStr("a key for tests")}
    async with serving(configured, **loopback, **free, **key) as made:
        yield made


async def created(client: httpx.AsyncClient, **fields: object) -> dict[str, Any]:
    answer = await client.post("/v1/webhook-receivers", json={"url": URL, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


BAD_URLS = [
    ("http://example.com/", "not_https"),
    ("https://10.0.0.1/", "forbidden_address"),
    ("https://localhost/", "forbidden_address"),
    ("https://user:secret@example.com/", "credentials"),
    ("https://no-such-name.invalid/", "unresolvable"),
    ("https://example.com:25/", "port"),
    ("https://0x7f.1/", "odd_host"),
    ("nonsense", "not_a_url"),
]


@pytest.mark.parametrize(("url", "rule"), BAD_URLS)
async def test_a_bad_url_is_refused_by_its_rule_wherever_it_is_sent(
    client: httpx.AsyncClient, url: str, rule: str
) -> None:
    for path, body, param in (
        ("/v1/webhook-receivers", {"url": url}, "url"),
        ("/v1/videos", {**VIDEO, "webhook_url": url}, "webhook_url"),
    ):
        answer = await client.post(path, json=body)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, "forbidden_url", param), answer.text
        assert error["details"] == {"rule": rule}
    assert (await client.get("/v1/jobs")).json()["data"] == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"url": URL, "events": ["job.compleated"]}, "events[0]"),
        ({"url": URL, "events": ["receiver.test"]}, "events"),
        ({"url": URL, "events": []}, "events"),
        ({"url": "https://example.com/" + "a" * 9000}, "url"),
        ({"url": URL, "headers": {"webhook-id": "x"}}, "headers"),
        ({"url": URL, "headers": {"Host": "x"}}, "headers"),
        ({"url": URL, "headers": {"X-A": "a\r\nX-B: b"}}, "headers"),
        ({"url": URL, "secret": "mine"}, "secret"),
        ({}, "url"),
    ],
)
async def test_other_bad_input_names_its_field(client: httpx.AsyncClient, body: dict[str, Any], param: str) -> None:
    answer = await client.post("/v1/webhook-receivers", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text


async def test_an_unknown_event_is_answered_with_the_list(client: httpx.AsyncClient) -> None:
    for path, body in (
        ("/v1/webhook-receivers", {"url": URL, "events": ["job.done"]}),
        ("/v1/videos", {**VIDEO, "webhook_url": URL, "webhook_events": ["job.done"]}),
    ):
        answer = await client.post(path, json=body)
        assert answer.status_code == 400
        assert set(answer.json()["error"]["accepted"]) == set(events.EventType)
    alone = await client.post("/v1/videos", json={**VIDEO, "webhook_events": ["job.failed"]})
    assert alone.status_code == 400


async def test_more_than_the_allowed_receivers_is_a_conflict_also_when_they_race(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.post("/v1/webhook-receivers", json={"url": URL}) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5


async def test_a_receiver_is_shown_changed_and_deleted(client: httpx.AsyncClient) -> None:
    made = await created(client, headers={"Authorization": "Bearer their-secret"}, description="ours")
    path = f"/v1/webhook-receivers/{made['id']}"
    assert made["header_names"] == ["Authorization"]
    assert "their-secret" not in (await client.get(path)).text
    changed = (await client.patch(path, json={"enabled": False, "events": ["job.failed"]})).json()
    assert (changed["enabled"], changed["disabled_reason"]) == (False, "by_owner")
    assert (changed["events"], changed["description"]) == (["job.failed"], "ours")
    assert changed["header_names"] == ["Authorization"]
    assert (await client.patch(path, json={"events": None})).json()["events"] is None
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404
    assert (await client.get("/v1/webhook-receivers")).json() == {"data": []}


@pytest.mark.parametrize("path", ["", "/secret", "/test", "/verify", "/replay", "/secret/rotate"])
async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    body = {"/verify": {"headers": {}, "body": ""}, "/replay": {"since": "2026-01-01T00:00:00Z"}, "/secret/rotate": {}}
    method = "GET" if path in ("", "/secret") else "POST"
    for receiver_id in ("rcv_01k0zqj5w3m8v4t2c6n9xb7rde", "nonsense"):
        url = f"/v1/webhook-receivers/{receiver_id}{path}"
        answer = await client.request(method, url, json=body.get(path))
        assert answer.status_code == 404, answer.text


async def test_a_test_event_arrives_is_in_the_log_and_verifies(
    local: httpx.AsyncClient, bench: conftest.Bench, receiver_desk: desk.Desk
) -> None:
    made = await created(local, url=receiver_desk.url(), headers={"X-Mine": "yes"}, enabled=False)
    path = f"/v1/webhook-receivers/{made['id']}"
    delivery_id = (await local.post(f"{path}/test")).json()["delivery_id"]
    await bench.deliver()
    [got] = receiver_desk.got
    assert got.headers["X-Mine"] == "yes"
    secret = (await local.get(f"{path}/secret")).json()["secret"]
    webhooks.Webhook(secret).verify(got.body, dict(got.headers))
    delivery = (await local.get(f"/v1/webhook-deliveries/{delivery_id}")).json()
    assert (delivery["status"], delivery["trigger"], delivery["event_type"]) == ("delivered", "test", "receiver.test")
    [tried] = delivery["tries"]
    assert (tried["status_code"], tried["response_head"], tried["address"]) == (200, "seen", "127.0.0.1")
    checked = await local.post(f"{path}/verify", json={"headers": dict(got.headers), "body": got.body.decode()})
    assert checked.json() == {"valid": True, "findings": []}
    spoiled = await local.post(f"{path}/verify", json={"headers": dict(got.headers), "body": got.body.decode() + " "})
    assert [item["part"] for item in spoiled.json()["findings"]] == ["body"]


async def test_a_rotated_secret_signs_beside_the_old_one(
    local: httpx.AsyncClient, bench: conftest.Bench, receiver_desk: desk.Desk
) -> None:
    made = await created(local, url=receiver_desk.url())
    path = f"/v1/webhook-receivers/{made['id']}/secret"
    old = (await local.get(path)).json()["secret"]
    new = (await local.post(f"{path}/rotate", json={})).json()
    assert new["previous_expires_at"] is not None
    await bench.job()
    await bench.deliver()
    at_once = (await local.post(f"{path}/rotate", json={"overlap_seconds": 0})).json()
    await bench.job()
    await bench.deliver()
    first, second = receiver_desk.got
    for secret in (old, new["secret"]):
        webhooks.Webhook(secret).verify(first.body, dict(first.headers))
    webhooks.Webhook(at_once["secret"]).verify(second.body, dict(second.headers))
    with pytest.raises(webhooks.WebhookVerificationError):
        webhooks.Webhook(new["secret"]).verify(second.body, dict(second.headers))


async def test_a_jobs_own_url_gets_its_events_signed_with_the_tenants_secret(
    local: httpx.AsyncClient, bench: conftest.Bench, receiver_desk: desk.Desk
) -> None:
    wish = {"webhook_url": receiver_desk.url("/mine?token=1"), "webhook_events": ["job.queued", "job.cancelled"]}
    job = (await local.post("/v1/videos", json={**VIDEO, **wish, "metadata": {"order": "17"}})).json()
    await local.post(f"/v1/jobs/{job['id']}/cancel")
    await bench.deliver()
    secret = (await local.get("/v1/webhook-secret")).json()["secret"]
    by_type = {got.event["type"]: got for got in receiver_desk.got}
    assert set(by_type) == {"job.queued", "job.cancelled"}
    for got in by_type.values():
        webhooks.Webhook(secret).verify(got.body, dict(got.headers))
    data = by_type["job.cancelled"].event["data"]
    assert (data["id"], data["status"], data["billed"], data["metadata"]) == (
        job["id"],
        "cancelled",
        "no",
        {"order": "17"},
    )
    assert (data["sequence"], data["polling_url"]) == (2, job["polling_url"])
    listed = (await local.get("/v1/webhook-deliveries", params={"job": job["id"], "event": "job.cancelled"})).json()
    assert [item["status"] for item in listed["data"]] == ["delivered"]


async def test_what_was_lost_is_replayed_singly_and_all_at_once(
    local: httpx.AsyncClient, bench: conftest.Bench, receiver_desk: desk.Desk
) -> None:
    made = await created(local, url=receiver_desk.url())
    path = f"/v1/webhook-receivers/{made['id']}"
    for _ in range(3):
        await bench.job()
    await local.patch(path, json={"enabled": False})
    lost = (await local.get("/v1/webhook-deliveries", params={"status": "dropped", "receiver": made["id"]})).json()
    assert len(lost["data"]) == 3
    one = f"/v1/webhook-deliveries/{lost['data'][0]['id']}/replay"
    assert (await local.post(one)).status_code == 409
    await local.patch(path, json={"enabled": True})
    assert (await local.post(one)).json()["status"] == "pending"
    await bench.deliver()
    answer = await local.post(f"{path}/replay", json={"since": made["created_at"]})
    assert (answer.status_code, answer.json()["deliveries"]) == (202, 2)
    await bench.deliver()
    assert {got.event_id for got in receiver_desk.good} == {item["event_id"] for item in lost["data"]}


async def test_the_feed_pages_and_a_jobs_course_streams(client: httpx.AsyncClient) -> None:
    job = (await client.post("/v1/videos", json=VIDEO)).json()
    await client.post(f"/v1/jobs/{job['id']}/cancel")
    first = (await client.get("/v1/events", params={"limit": 1})).json()
    second = (await client.get("/v1/events", params={"after": first["next_cursor"], "wait": 1})).json()
    assert (first["has_more"], second["has_more"]) == (True, False)
    kinds = [page["data"][0]["type"] for page in (first, second)]
    assert kinds == ["job.queued", "job.cancelled"]
    assert second["data"][0]["data"]["id"] == job["id"]
    stream = await client.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": first["next_cursor"]})
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert f"id: {second['next_cursor']}\nevent: job.cancelled\ndata: {{" in stream.text
    assert "job.queued" not in stream.text
    over = await client.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": second["next_cursor"]})
    assert over.status_code == 204
    assert (await client.get("/v1/jobs/job_nonsense/events")).status_code == 404
    assert (await client.get("/v1/events", params={"after": "nonsense"})).status_code == 400
    gone = await client.get("/v1/events", params={"after": "evt_01k0zqj5w3m8v4t2c6n9xb7rde"})
    assert gone.status_code == 410

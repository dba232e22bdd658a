"""Looking before asking: filters of models, endpoints with their health, estimates, previews, reload."""

import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared import settings
from tests.integration.api import steps

VIDEO = {"model": "sandbox/video", "prompt": "A paper boat", "duration": 2}


async def listed(client: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = await client.get("/v1/models", params=query)
    assert answer.status_code == 200, answer.text
    return [model["id"] for model in answer.json()["data"]]


async def test_models_are_filtered(client: httpx.AsyncClient) -> None:
    everything = await listed(client)
    videos, images = await listed(client, kind="video"), await listed(client, output_modality="image")
    assert "sandbox/video" in videos
    assert not set(videos) & set(images)
    assert sorted([*videos, *images]) == await listed(client, output_modality=["video", "image"])
    assert await listed(client, provider="sandbox-backup", kind="image") == ["sandbox/image-backed"]
    assert set(await listed(client, parameter="temperature")) < set(everything)
    assert await listed(client, parameter="temperature", kind="video") == []


async def test_endpoints_tell_terms_and_health(client: httpx.AsyncClient, submit: steps.Submit) -> None:
    await submit(model="sandbox/video-backed")
    answer = await client.get("/v1/models/sandbox/video-backed/endpoints")
    found = answer.json()
    assert (answer.status_code, found["id"], found["queue_depth"]) == (200, "sandbox/video-backed", 1)
    first, second = found["endpoints"]
    assert (first["provider"], second["provider"]) == ("sandbox", "sandbox-backup")
    assert first["limits"] == {"concurrency": 1000, "requests_per_minute": 60000, "stuck_seconds": 120}
    assert (first["breaker"], first["health"]["samples"], first["held"]) == ("closed", 0, [])
    assert (first["zdr"], second["zdr"], second["retains"]) == (True, False, True)
    assert (await client.get("/v1/models/sandbox/video-bakced/endpoints")).status_code == 404


async def test_an_estimate_tells_price_and_time_and_stores_nothing(
    client: httpx.AsyncClient, count: steps.Count
) -> None:
    answer = await client.post(
        "/v1/estimates", json={"kind": "video", "request": VIDEO | {"models": ["sandbox/video-slow"], "duration": 4}}
    )
    found = answer.json()
    assert answer.status_code == 200, found
    assert found["price"] == {name: {"cost": "0.200000", "cost_micros": 200_000} for name in found["price"]}
    assert found["seconds"] == 1.5
    assert [(each["endpoint"], each["seconds"]) for each in found["candidates"]] == [
        ("sandbox/video@sandbox", 1.5),
        ("sandbox/video-slow@sandbox", 20.0),
    ]
    assert await count() == 0


BAD = [
    ({"kind": "video", "request": {"model": "sandbox/video"}}, "missing_field", "request.prompt"),
    ({"kind": "video", "request": VIDEO | {"colour": 1}}, "unknown_field", "request.colour"),
    ({"kind": "image", "request": {"model": "sandbox/video", "prompt": "x"}}, "wrong_kind", "model"),
    ({"kind": "video", "request": VIDEO | {"duration": 99}}, "unsupported_value", "duration"),
    ({"kind": "film", "request": VIDEO}, "invalid_request", "kind"),
    ({"kind": "video"}, "missing_field", "request"),
]


@pytest.mark.parametrize(("body", "code", "param"), BAD)
@pytest.mark.parametrize("path", ["/v1/estimates", "/v1/routes/preview"])
async def test_bad_requests_are_refused_as_on_submitting(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], code: str, param: str
) -> None:
    answer = await client.post(path, json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, code, param)


async def test_a_preview_gives_the_order_and_the_reasons(client: httpx.AsyncClient, count: steps.Count) -> None:
    body = VIDEO | {"model": "sandbox/video-backed", "provider": {"order": ["sandbox-backup"], "ignore": ["sandbox"]}}
    found = (await client.post("/v1/routes/preview", json={"kind": "video", "request": body})).json()
    assert [(each["endpoint"], each["why"]) for each in found["candidates"]] == [
        ("sandbox/video-backed@sandbox-backup", "order")
    ]
    assert found["excluded"] == [{"endpoint": "sandbox/video-backed@sandbox", "reason": "ignore"}]
    assert found["funnel"] == [{"filter": "ignore", "removed": 1, "left": 1}]
    assert (found["endpoints"], found["nearest"], await count()) == (2, None, 0)


async def test_a_request_nobody_can_serve_is_told_what_would_help(
    client: httpx.AsyncClient, count: steps.Count
) -> None:
    wishes = {"max_price": {"second": 0.01}, "ignore": ["nobody"]}
    answer = await client.post("/v1/videos", json=VIDEO | {"provider": wishes})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (404, "no_endpoints")
    assert error["details"]["funnel"] == [{"filter": "max_price", "removed": 1, "left": 0}]
    assert "raise provider.max_price.second to 0.05" in error["details"]["nearest"]["hint"]
    estimated = await client.post("/v1/estimates", json={"kind": "video", "request": VIDEO | {"provider": wishes}})
    assert estimated.json()["error"]["details"] == error["details"]
    preview = await client.post("/v1/routes/preview", json={"kind": "video", "request": VIDEO | {"provider": wishes}})
    assert (preview.status_code, preview.json()["nearest"]) == (200, error["details"]["nearest"])
    assert await count() == 0


async def test_a_bad_catalog_is_refused_and_the_old_one_serves_on(
    configured: settings.Settings, serve: steps.Serve, tmp_path: Path, count: steps.Count
) -> None:
    folder = tmp_path / "catalog"
    shutil.copytree(configured.catalog_path, folder)
    async with serve(configured.model_copy(update={"catalog_path": folder})) as client:
        before = await listed(client)
        extra = folder / "extra.yaml"
        extra.write_text("models:\n  - id: extra/image\n    kind: image\n    name: Extra\n    endpoints: []\n")
        refused = await client.post("/v1/catalog/reload")
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (422, "invalid_catalog")
        assert error["details"]["faults"] == ["extra.yaml:5: models[0].endpoints: a model needs at least one endpoint"]
        assert await listed(client) == before
        extra.write_text(
            "models:\n  - {id: extra/image, kind: image, name: Extra, endpoints: [{provider: sandbox,\n"
            "     upstream_model: image, prices: [], limits: {concurrency: 1, requests_per_minute: 1}}]}\n"
        )
        accepted = await client.post("/v1/catalog/reload")
        assert (accepted.status_code, accepted.json()["models"]) == (200, len(before) + 1)
        assert await listed(client) == sorted([*before, "extra/image"])

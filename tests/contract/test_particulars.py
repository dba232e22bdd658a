"""What is true of one provider only."""

import dataclasses
import uuid
from collections.abc import AsyncIterator

import aiohttp
import httpx
import orjson
import pytest

from shared.domain import faults, models, outputs, requests, states
from shared.providers import base, comfyui, kling, registry
from tests.contract import asks, pretence, talks
from tests.contract import dialects as all_dialects
from tests.contract.servers import upstream

DIALECTS = {dialect.name: dialect for dialect in all_dialects.ALL}


def first_of(name: str, number: int = 0) -> pytest.MarkDecorator:
    dialect = DIALECTS[name]
    return pytest.mark.parametrize("talk", [(dialect, dialect.offers[number])], indirect=True, ids=[name])


def json_of(talk: talks.Talk) -> upstream.Json:
    found: upstream.Json = orjson.loads(talk.up.at(upstream.Place.SUBMIT)[-1].content)
    return found


@first_of("sandbox")
@pytest.mark.parametrize("fields", [{"outputs": 7, "usage": []}, {"outputs": "all"}, {"cost_micros": "x", "usage": 1}])
async def test_a_sandbox_that_sends_junk_is_not_believed(talk: talks.Talk, fields: upstream.Json) -> None:
    upstream_id = await talk.accepted()
    junk = orjson.dumps({"id": "x", "status": "succeeded", **fields})
    talk.up.instead = {upstream.Place.SUBMIT: junk, upstream.Place.LOOK: junk}
    assert isinstance(await talk.adapter().submit(talk.ask()), base.Unknown)
    assert isinstance(await talk.adapter().poll(upstream_id), base.PollLost)


@first_of("fal")
async def test_fal_is_not_followed_to_another_host(talk: talks.Talk) -> None:
    talk.up.instead[upstream.Place.SUBMIT] = orjson.dumps(
        {"request_id": "r", "response_url": "https://evil.example/fal-ai/x/requests/r"}
    )
    assert isinstance(await talk.adapter().submit(talk.ask()), base.Unknown)


@pytest.mark.parametrize(("status", "text", "ends"), [(502, upstream.PAGE, False), (500, '{"detail": "died"}', True)])
async def test_a_gateway_that_fails_at_fals_result_fails_no_job(status: int, text: str, ends: bool) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/status"):
            return httpx.Response(200, json={"status": "COMPLETED"})
        return httpx.Response(status, text=text)

    client = pretence.session(answer)
    connection = base.Connection(asks.provider(DIALECTS["fal"]), "https://queue.fal.run", "k", client, client)
    outcome = await registry.ADAPTERS["fal"](connection).poll("fal-ai/x/requests/7")
    assert isinstance(outcome, base.Failed if ends else base.PollLost)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.us1.bfl.ai/v1/get_result?id=7", True),
        ("https://api.bfl.ai/v1/get_result?id=7", True),
        ("http://api.us1.bfl.ai/v1/get_result?id=7", False),
        ("https://api.us1.bfl.ai:8443/v1/get_result?id=7", False),
        ("https://api.bfl.ai.evil.example/v1/get_result?id=7", False),
        ("https://evilbfl.ai/v1/get_result?id=7", False),
        ("https://user@evil.example/bfl.ai", False),
        ("https://[bad", False),
    ],
)
async def test_a_polling_url_is_kept_only_within_the_providers_domain(url: str, kept: bool) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if request.method == "POST":
            return httpx.Response(200, json={"id": "the-id", "polling_url": url})
        return httpx.Response(200, json={"id": "the-id", "status": "Pending"})

    client = pretence.session(answer)
    dialect = DIALECTS["black_forest_labs"]
    connection = base.Connection(asks.provider(dialect), "https://api.bfl.ai", "secret", client, client)
    adapter = registry.ADAPTERS["black_forest_labs"](connection)
    ask = asks.make(dialect, dialect.offers[0], frozenset(), upstream.Course.WELL, None)
    accepted = await adapter.submit(ask)
    assert accepted == base.Accepted(url if kept else "the-id")
    await adapter.poll(accepted.upstream_id)
    assert asked[-1] == (url if kept else "https://api.bfl.ai/v1/get_result?id=the-id")


@first_of("comfyui")
async def test_a_comfyui_that_was_restarted_has_lost_its_jobs(talk: talks.Talk) -> None:
    upstream_id = await talk.accepted(upstream.Course.HANGS)
    assert isinstance(await talk.adapter().poll(upstream_id), base.Running)
    talk.up.jobs.clear()
    outcome = await talk.adapter().poll(upstream_id)
    assert isinstance(outcome, base.Failed)
    assert outcome.fault.kind is faults.FaultKind.NOT_FOUND


@first_of("comfyui")
async def test_a_sampler_always_has_a_seed_and_the_same_one_for_the_same_reference(talk: talks.Talk) -> None:
    ask = talk.ask()
    await talk.adapter().submit(ask)
    await talk.adapter().submit(ask)
    graphs = [orjson.loads(seen.content)["prompt"] for seen in talk.up.at(upstream.Place.SUBMIT)]
    assert graphs[0] == graphs[1]
    assert graphs[0]["6"]["inputs"]["text"] == f"photo of {getattr(ask.request, 'prompt', None)}"


@first_of("comfyui")
async def test_a_prompt_with_braces_is_no_template(talk: talks.Talk) -> None:
    request = requests.ImageRequest(model="m", prompt='a {seed} in a "quoted" {pot} \\ {{prompt}}')
    ask = dataclasses.replace(talk.ask(), request=request)
    order = comfyui.ComfyUIAdapter(
        base.Connection(asks.provider(talk.dialect), talk.up.url, "", talk.client, talk.fresh_client)
    ).order(ask)
    assert order.body is not None
    assert order.body["prompt"]["6"]["inputs"]["text"] == f"photo of {request.prompt}"


async def test_a_comfyui_without_a_workflow_is_refused_before_it_is_asked() -> None:
    client = pretence.session(_never)
    dialect = DIALECTS["comfyui"]
    adapter = comfyui.ComfyUIAdapter(base.Connection(asks.provider(dialect), "http://c", "", client, client))
    offer = dataclasses.replace(dialect.offers[0], options={})
    outcome = await adapter.submit(asks.make(dialect, offer, frozenset(), upstream.Course.WELL, None))
    assert isinstance(outcome, base.Refused)
    assert outcome.fault.kind is faults.FaultKind.INVALID_INPUT


def _never(_request: httpx.Request) -> httpx.Response:
    raise AssertionError("nothing may be sent")


@first_of("google")
async def test_google_takes_no_picture_by_https(talk: talks.Talk) -> None:
    request = requests.VideoRequest.model_validate(
        {
            "model": "m",
            "prompt": "p",
            "frame_images": [{"image_url": {"url": "https://x.example/a.png"}, "frame_type": "first_frame"}],
        }
    )
    outcome = await talk.adapter().submit(dataclasses.replace(talk.ask(), request=request))
    assert isinstance(outcome, base.Refused)
    assert "data:" in outcome.fault.message
    assert not talk.up.seen


@pytest.mark.parametrize(
    ("name", "number", "cost"),
    [("openrouter", 0, 52_000), ("openrouter", 1, 40_000), ("together", 0, 250_000), ("runway", 0, 250_000)],
)
async def test_the_providers_own_bill_is_taken(
    name: str, number: int, cost: int, client: aiohttp.ClientSession, fresh_client: aiohttp.ClientSession
) -> None:
    dialect = DIALECTS[name]
    async for talk in _talking(dialect, number, client, fresh_client):
        outcome = await talk.adapter().submit(talk.ask())
        if isinstance(outcome, base.Accepted):
            _, outcome = await talk.ended(outcome.upstream_id)
        assert isinstance(outcome, base.Finished)
        assert outcome.usage is not None
        assert outcome.usage.cost_micros == cost


@pytest.mark.parametrize("name", ["openrouter", "openai_compatible", "together", "anthropic", "google", "replicate"])
async def test_tokens_are_counted(
    name: str, client: aiohttp.ClientSession, fresh_client: aiohttp.ClientSession
) -> None:
    dialect = DIALECTS[name]
    number = next(at for at, offer in enumerate(dialect.offers) if offer.kind is states.Kind.TEXT)
    async for talk in _talking(dialect, number, client, fresh_client):
        outcome = await talk.adapter().submit(talk.ask())
        if isinstance(outcome, base.Accepted):
            _, outcome = await talk.ended(outcome.upstream_id)
        assert isinstance(outcome, base.Finished)
        assert outcome.usage == outputs.Usage(input_tokens=11, output_tokens=7)
        assert outcome.sources[0].text == upstream.TEXT


async def _talking(
    dialect: upstream.Dialect, number: int, client: aiohttp.ClientSession, fresh_client: aiohttp.ClientSession
) -> AsyncIterator[talks.Talk]:
    async with upstream.running(dialect) as up:
        yield talks.Talk(up, dialect.offers[number], client, fresh_client)


@first_of("anthropic")
async def test_anthropic_gets_the_system_apart_and_always_a_limit(talk: talks.Talk) -> None:
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    request = requests.TextRequest.model_validate({"model": "m", "messages": turns})
    await talk.adapter().submit(dataclasses.replace(talk.ask(), request=request))
    body = json_of(talk)
    assert body["system"] == "Be brief."
    assert body["messages"] == [{"role": "user", "content": "Why?"}]
    assert body["max_tokens"] > 0


@first_of("kling")
async def test_kling_is_not_searched_where_the_catalog_takes_the_weaker_class(talk: talks.Talk) -> None:
    provider = models.Provider(name="kling", adapter="kling", doubt=models.Doubt.NEITHER)
    weak = registry.ADAPTERS["kling"](
        base.Connection(provider, talk.up.url, talk.dialect.key, talk.client, talk.fresh_client)
    )
    assert weak.doubt is models.Doubt.NEITHER


def test_a_kling_token_depends_on_the_secret_and_hides_it() -> None:
    first, second = kling.token("access:secret-one", 1_790_000_000), kling.token("access:secret-two", 1_790_000_000)
    assert first.rpartition(".")[0] == second.rpartition(".")[0]
    assert first != second
    assert "secret" not in first


def test_a_prompt_id_is_a_lowercase_uuid_of_its_reference_alone() -> None:
    name = comfyui.name_of("job_1.1")
    assert str(uuid.UUID(name)) == name == comfyui.name_of("job_1.1") != comfyui.name_of("job_1.2")

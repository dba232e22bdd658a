"""What `genqueue providers check` does, against every provider's dialect."""

import asyncio
import json
from pathlib import Path

import pytest
import yaml
from typer import testing

from cli import main
from shared.domain import models
from shared.outbound import downloads, targets
from shared.providers import plain, registry
from shared.services import providers
from tests.contract import dialects, talks, test_adapters
from tests.contract.servers import upstream

LISTING = {"openrouter", "openai_compatible", "together", "anthropic", "google"}
FREE = [dialect for dialect in dialects.ALL if getattr(registry.ADAPTERS[dialect.name], "visits", ())]


def once_each(of: list[upstream.Dialect]) -> pytest.MarkDecorator:
    pairs = [(dialect, dialect.offers[0]) for dialect in of]
    return pytest.mark.parametrize("talk", pairs, indirect=True, ids=[dialect.name for dialect in of])


@once_each(FREE)
async def test_a_free_look_says_that_the_key_is_taken(talk: talks.Talk) -> None:
    findings = await providers.visit(talk.adapter(), frozenset())
    assert findings
    assert all(finding.well for finding in findings), findings
    assert not talk.up.at(upstream.Place.SUBMIT)


@once_each([dialect for dialect in FREE if dialect.wrong_key is not None])
async def test_a_free_look_says_that_the_key_is_wrong(talk: talks.Talk) -> None:
    first, *_ = await providers.visit(talk.adapter(key="wrong-key"), frozenset())
    assert not first.well
    assert "GENQUEUE_PROVIDER_KEYS" in first.advice


@once_each([dialect for dialect in dialects.ALL if dialect.name in LISTING])
async def test_a_model_that_is_not_theirs_is_named(talk: talks.Talk) -> None:
    theirs = talk.dialect.offers[-1].model
    (*_, well) = await providers.visit(talk.adapter(), frozenset({theirs}))
    (*_, ill) = await providers.visit(talk.adapter(), frozenset({theirs, "nobody/nothing"}))
    assert (well.check, well.well) == ("models", True)
    assert (ill.check, ill.well) == ("models", False)
    assert ill.said == "not in their list: nobody/nothing"


@test_adapters.over()
async def test_the_small_ask_ends_with_bytes_of_the_right_form(talk: talks.Talk) -> None:
    ask = talk.ask()
    offer = models.Endpoint.model_validate(
        {
            "provider": "a",
            "upstream_model": "m",
            "prices": [],
            "limits": {"concurrency": 1, "requests_per_minute": 1},
        }
    )
    model = models.Model(id="m", kind=talk.offer.kind, name="M", endpoints=(offer,))
    downloader = downloads.Downloader(frozenset({downloads.origin(talk.up.url)}), targets.STRICTEST)
    trial = providers.Trial(model, offer, ask, 0)
    findings = [finding async for finding in providers.try_out(talk.adapter(), trial, downloader, 0)]
    await downloader.close()
    assert all(finding.well for finding in findings), findings
    assert findings[-1].check == "fetch"
    looked_up = [finding for finding in findings if finding.check == "look-up"]
    adapter = talk.adapter()
    searchable = isinstance(adapter, plain.PlainAdapter) and models.Doubt.SEARCHABLE in adapter.abilities.doubts
    assert bool(looked_up) is searchable


def catalog_at(folder: Path, url: str) -> Path:
    limits = {"concurrency": 1, "requests_per_minute": 1}
    offers = {"film": ("video", "Wan-AI/Wan2.2", "second", 1), "talk": ("text", "gpt-5-mini", "output_token", 0.000001)}
    catalog = {
        "providers": [{"name": "acme", "adapter": "openai_compatible", "base_url": f"{url}/v1"}],
        "models": [
            {
                "id": f"acme/{name}",
                "kind": kind,
                "name": name,
                "endpoints": [
                    {
                        "provider": "acme",
                        "upstream_model": model,
                        "prices": [{"unit": unit, "usd": usd}],
                        "limits": limits,
                    }
                ],
            }
            for name, (kind, model, unit, usd) in offers.items()
        ],
    }
    (folder / "acme.yaml").write_text(yaml.safe_dump(catalog))
    return folder


async def run(folder: Path, *arguments: str, keys: tuple[str, ...] = ("good-key",)) -> testing.Result:
    """The command, in a thread of its own: it runs a loop, and the provider it speaks to runs in ours."""
    environment = {
        "GENQUEUE_CATALOG_PATH": str(folder),
        "GENQUEUE_PROVIDER_KEYS": json.dumps({"acme": list(keys)} if keys else {}),
    }
    return await asyncio.to_thread(testing.CliRunner().invoke, main.app, list(arguments), env=environment)


OPENAI = [dialect for dialect in dialects.ALL if dialect.name == "openai_compatible"]


@once_each(OPENAI)
async def test_the_command_asks_nothing_that_costs_unless_told_to(talk: talks.Talk, tmp_path: Path) -> None:
    folder = catalog_at(tmp_path, talk.up.url)
    result = await run(folder, "providers", "check", "acme")
    assert result.exit_code == 1  # Wan is not in the list
    assert "ok  GET /models: the key is taken" in result.output
    assert "not in their list: Wan-AI/Wan2.2" in result.output
    assert not talk.up.at(upstream.Place.SUBMIT)


@once_each(OPENAI)
async def test_the_command_spends_on_the_cheapest_model_only(talk: talks.Talk, tmp_path: Path) -> None:
    result = await run(catalog_at(tmp_path, talk.up.url), "providers", "check", "acme", "--spend")
    assert "asking acme/talk" in result.output
    assert "fetch: 25 bytes, text/plain" in result.output
    assert [seen.path for seen in talk.up.at(upstream.Place.SUBMIT)] == ["/v1/chat/completions"]


@once_each(OPENAI)
async def test_the_command_tries_every_key(talk: talks.Talk, tmp_path: Path) -> None:
    folder = catalog_at(tmp_path, talk.up.url)
    result = await run(folder, "providers", "check", "acme", keys=("good-key", "an-old-key"))
    assert result.exit_code == 1
    assert "ok  key 1: GET /models" in result.output
    assert "ill key 2: GET /models: auth" in result.output
    assert "an-old-key" not in result.output


async def test_the_command_says_which_key_to_set_and_which_name_was_meant(tmp_path: Path) -> None:
    folder = catalog_at(tmp_path, "http://127.0.0.1:1")
    keyless = await run(folder, "providers", "check", "acme", keys=())
    assert (keyless.exit_code, "GENQUEUE_PROVIDER_KEYS" in keyless.output) == (1, True)
    misspelt = await run(folder, "providers", "check", "acne")
    assert (misspelt.exit_code, "there is acme" in misspelt.output) == (1, True)


async def test_the_list_says_who_is_ready(tmp_path: Path) -> None:
    folder = catalog_at(tmp_path, "http://127.0.0.1:1")
    assert "ready" in (await run(folder, "providers", "list")).output
    assert "no key" in (await run(folder, "providers", "list", keys=())).output


async def test_the_catalog_check_tells_file_line_and_field(tmp_path: Path) -> None:
    folder = catalog_at(tmp_path, "http://127.0.0.1:1")
    well = await run(tmp_path, "catalog", "check", str(folder))
    assert (well.exit_code, well.output.strip()) == (0, "1 providers, 2 models, 2 endpoints: nothing wrong.")
    text = (folder / "acme.yaml").read_text().replace("kind: video", "kind: film")
    line = next(number for number, content in enumerate(text.splitlines(), 1) if "kind: film" in content)
    (folder / "acme.yaml").write_text(text)
    ill = await run(tmp_path, "catalog", "check", str(folder))
    assert ill.exit_code == 1
    assert ill.output.startswith(f"acme.yaml:{line}: models[0].kind: ")

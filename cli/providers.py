"""`genqueue providers`: which there are, and whether they answer to the operator's keys."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich import console, table

from cli import catalog
from shared import ids, settings
from shared.domain import models, names
from shared.outbound import clients, downloads, targets
from shared.providers import base, registry
from shared.services import doctor, providers

app = typer.Typer(help="List the providers of the catalog, and check them with your own keys.", no_args_is_help=True)
_out = console.Console(highlight=False, soft_wrap=True)

_Folder = Annotated[Path | None, typer.Option("--catalog", help="A folder of YAML files; else GENQUEUE_CATALOG_PATH.")]


@dataclass(frozen=True, slots=True)
class Desk:
    """What a check is made from: the catalog, the keys, and connections that are open."""

    catalog: models.Catalog
    provider: models.Provider
    key_count: int
    registry: registry.Registry
    downloader: downloads.Downloader

    def adapter(self, credential: int) -> base.Adapter:
        """The provider, spoken to with this key."""
        return self.registry.adapter(self.provider, credential)


@app.command("list")
def show(folder: _Folder = None) -> None:
    """The providers of the catalog: adapter, class of doubt, models, and how many keys there are. Asks nobody."""
    configured = settings.Settings()
    found = catalog.read(folder or configured.catalog_path)
    usable = registry.usable(found, frozenset(configured.provider_keys))
    made = table.Table("provider", "adapter", "class", "models", "keys", "")
    for name, provider in sorted(found.providers.items()):
        offered = sum(any(offer.provider == name for offer in model.endpoints) for model in found.models.values())
        doubt = registry.ABILITIES[provider.adapter].doubt(provider.doubt)
        keys = str(len(configured.provider_keys.get(name, []))) if provider.needs_key else "none needed"
        ready = "[green]ready[/green]" if name in usable else "[yellow]no key: left out[/yellow]"
        made.add_row(name, provider.adapter, doubt, str(offered), keys, ready)
    console.Console().print(made)


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="The provider's name in the catalog.")],
    folder: _Folder = None,
    spend: Annotated[bool, typer.Option("--spend", help="Also make the cheapest ask. It is paid for.")] = False,
    model: Annotated[str | None, typer.Option(help="With --spend: ask this model instead.")] = None,
) -> None:
    """Ask the provider, with each of your keys, whether it takes the key and has the models the catalog names; with
    --spend make one small ask and fetch the result. Exit code 1 if anything is wrong.
    """
    well = asyncio.run(_check(settings.Settings(), name, folder, model if spend else None, spend=spend))
    raise typer.Exit(0 if well else 1)


async def _check(
    configured: settings.Settings, name: str, folder: Path | None, model: str | None, *, spend: bool
) -> bool:
    found = catalog.read(folder or configured.catalog_path)
    async with _desk(configured, found, _named(found, name)) as desk:
        if desk.provider.needs_key and not desk.key_count and desk.provider.adapter != "sandbox":
            _print(doctor.Finding("key", "there is none", f'Set GENQUEUE_PROVIDER_KEYS=\'{{"{name}": ["…"]}}\'.'))
            return False
        visits = [finding async for finding in _visited(desk, is_enough=not spend)]
        tried = [finding async for finding in _tried(desk, model)] if spend else []
        return all(finding.well for finding in (*visits, *tried))


def _named(found: models.Catalog, name: str) -> models.Provider:
    if name in found.providers:
        return found.providers[name]
    near = names.near(name, found.providers) or sorted(found.providers)
    _out.print(f"There is no provider {name!r} in the catalog; there is {', '.join(near)}.", markup=False)
    raise typer.Exit(1)


@asynccontextmanager
async def _desk(configured: settings.Settings, found: models.Catalog, provider: models.Provider) -> AsyncIterator[Desk]:
    urls = {"sandbox": configured.sandbox_url} | configured.provider_urls
    keys = {name: [key.get_secret_value() for key in values] for name, values in configured.provider_keys.items()}
    trusted = frozenset({downloads.origin(registry.base_url(provider, urls))})
    downloader = downloads.Downloader(trusted, _guard(configured))
    async with clients.provider_client() as client, clients.provider_client(keep_alive=False) as fresh_client:
        try:
            made = registry.Registry(urls, keys, client, fresh_client)
            yield Desk(found, provider, len(keys.get(provider.name, [])), made, downloader)
        finally:
            await downloader.close()


def _guard(configured: settings.Settings) -> targets.Guard:
    return targets.configured_guard(
        configured.allowed_networks,
        configured.allowed_local_networks,
        configured.outbound_ports,
        allow_http=configured.allow_plain_http,
    )


async def _visited(desk: Desk, *, is_enough: bool) -> AsyncIterator[doctor.Finding]:
    """With --spend, a provider that has nothing free to ask is no fault: the ask will tell."""
    asked_for = frozenset(_upstream_names(desk))
    for credential in range(max(desk.key_count, 1)):
        label = f"key {credential + 1}: " if desk.key_count > 1 else ""
        for finding in await providers.visit(desk.adapter(credential), asked_for):
            if finding.check != "key" or is_enough:
                _print(finding, label)
                yield finding


def _upstream_names(desk: Desk) -> Iterator[str]:
    for model in desk.catalog.models.values():
        yield from (offer.upstream_model for offer in model.endpoints if offer.provider == desk.provider.name)


async def _tried(desk: Desk, model: str | None) -> AsyncIterator[doctor.Finding]:
    try:
        trial = providers.cheapest(desk.catalog, desk.provider.name, model, ids.new(ids.Prefix.JOB) + ".1")
    except providers.NoTrialError:
        finding = doctor.Finding("submit", "the catalog has no such model here", "Name one with --model.")
        _print(finding)
        yield finding
        return
    dollars = trial.estimate_micros / 1_000_000
    _out.print(f"asking {trial.model.id}, about {dollars:.4f} USD", markup=False)
    async for finding in providers.try_out(desk.adapter(0), trial, desk.downloader):
        _print(finding)
        yield finding


def _print(finding: doctor.Finding, label: str = "") -> None:
    mark = "[green]ok [/green]" if finding.well else "[red]ill[/red]"
    _out.print(mark, end=" ")
    advice = f" -> {finding.advice}" if finding.advice else ""
    _out.print(f"{label}{finding.check}: {finding.said}{advice}", markup=False)

"""Checking a provider with the operator's own keys, and telling what was found as it comes."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import typer
from rich import console

from cli import screen
from shared import ids, settings
from shared.domain import models, names
from shared.outbound import clients, downloads, targets
from shared.providers import base, registry
from shared.services import doctor, providers

_out = console.Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be checked. `model` is asked when money may be spent; None is the cheapest."""

    provider: str
    model: str | None
    spends: bool
    is_quiet: bool


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


async def run(configured: settings.Settings, found: models.Catalog, wanted: Wanted) -> list[doctor.Finding]:
    """Everything that was found, told as it comes. Ends the command if there is no such provider."""
    _out.quiet = wanted.is_quiet
    async with _desk(configured, found, _named(found, wanted.provider)) as desk:
        if desk.provider.needs_key and not desk.key_count and desk.provider.adapter != "sandbox":
            missing = doctor.Finding(
                "key", "there is none", f'Set GENQUEUE_PROVIDER_KEYS=\'{{"{wanted.provider}": ["…"]}}\'.'
            )
            _print(missing)
            return [missing]
        visits = [finding async for finding in _visited(desk, is_enough=not wanted.spends)]
        tried = [finding async for finding in _tried(desk, wanted.model)] if wanted.spends else []
        return [*visits, *tried]


def _named(found: models.Catalog, name: str) -> models.Provider:
    if name in found.providers:
        return found.providers[name]
    near = names.near(name, found.providers) or sorted(found.providers)
    screen.hints.print(f"There is no provider {name!r} in the catalog; there is {', '.join(near)}.", markup=False)
    raise typer.Exit(1)


@asynccontextmanager
async def _desk(configured: settings.Settings, found: models.Catalog, provider: models.Provider) -> AsyncIterator[Desk]:
    urls = {"sandbox": configured.sandbox_url} | configured.provider_urls
    keys = {name: [key.get_secret_value() for key in values] for name, values in configured.provider_keys.items()}
    trusted = frozenset({downloads.origin(registry.base_url(provider, urls))})
    downloader = downloads.Downloader(trusted, targets.configured_guard(configured))
    made = registry.Registry(urls, keys, clients.provider_session(), clients.provider_session(keep_alive=False))
    try:
        yield Desk(found, provider, len(keys.get(provider.name, [])), made, downloader)
    finally:
        await made.close()
        await downloader.close()


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

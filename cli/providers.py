"""`genqueue providers`: which there are, and whether they answer to the operator's keys."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import console, table

from cli import catalog, screen
from cli import doctor as reports
from shared import settings
from shared.providers import registry

app = typer.Typer(help="List the providers of the catalog, and check them with your own keys.", no_args_is_help=True)

_Folder = Annotated[Path | None, typer.Option("--catalog", help="A folder of YAML files; else GENQUEUE_CATALOG_PATH.")]


@app.command("list")
def show(folder: _Folder = None, json: screen.AsJson = False) -> None:
    """The providers of the catalog: adapter, class of doubt, models, and how many keys there are. Asks nobody."""
    found = _listed(settings.Settings(), folder, as_json=json)
    if json:
        screen.document(found)
        return
    made = table.Table("provider", "adapter", "class", "models", "keys", "")
    for item in found:
        keys = str(item["keys"]) if item["needs_key"] else "none needed"
        ready = "[green]ready[/green]" if item["ready"] else "[yellow]no key: left out[/yellow]"
        made.add_row(item["provider"], item["adapter"], item["class"], str(item["models"]), keys, ready)
    console.Console().print(made)


def _listed(configured: settings.Settings, folder: Path | None, *, as_json: bool) -> list[dict[str, Any]]:
    found = catalog.read(folder or configured.catalog_path, as_json=as_json)
    usable = registry.usable(found, frozenset(configured.provider_keys))
    return [
        {
            "provider": name,
            "adapter": provider.adapter,
            "class": registry.ABILITIES[provider.adapter].doubt(provider.doubt),
            "models": sum(any(o.provider == name for o in model.endpoints) for model in found.models.values()),
            "keys": len(configured.provider_keys.get(name, [])),
            "needs_key": provider.needs_key,
            "ready": name in usable,
        }
        for name, provider in sorted(found.providers.items())
    ]


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="The provider's name in the catalog.")],
    folder: _Folder = None,
    spend: Annotated[bool, typer.Option("--spend", help="Also make the cheapest ask. It is paid for.")] = False,
    model: Annotated[str | None, typer.Option(help="With --spend: ask this model instead.")] = None,
    json: screen.AsJson = False,
) -> None:
    """Ask the provider, with each of your keys, whether it takes the key and has the models the catalog names; with
    --spend make one small ask and fetch the result. Exit code 1 if anything is wrong.
    """
    # Every `genqueue` command would wait for these.
    from cli import checks  # noqa: PLC0415

    configured = settings.Settings()
    found = catalog.read(folder or configured.catalog_path, as_json=json)
    wanted = checks.Wanted(name, model if spend else None, spends=spend, is_quiet=json)
    findings = asyncio.run(checks.run(configured, found, wanted))
    if json:
        screen.document([reports.plain(finding) for finding in findings])
    raise typer.Exit(0 if all(finding.well for finding in findings) else 1)

"""`genqueue catalog`: reading the operator's files before a process does."""

from pathlib import Path
from typing import Annotated

import typer
from rich import console

from cli import screen
from shared import settings
from shared.catalog import files
from shared.domain import models
from shared.providers import registry

app = typer.Typer(help="Check the catalog of models, endpoints and prices.", no_args_is_help=True)
_out = console.Console(highlight=False, soft_wrap=True)


@app.callback()
def catalog() -> None:
    """Check the catalog of models, endpoints and prices."""


@app.command()
def check(
    path: Annotated[Path | None, typer.Argument(help="A folder of YAML files; else GENQUEUE_CATALOG_PATH.")] = None,
    json: screen.AsJson = False,
) -> None:
    """Read the catalog as the API and the workers do, and tell every fault as file:line: field: what. Exit code 1 if
    there is any. Touches nothing and needs no server.
    """
    found = read(path or settings.Settings().catalog_path, as_json=json)
    endpoints = sum(len(model.endpoints) for model in found.models.values())
    if json:
        counts = {"providers": len(found.providers), "models": len(found.models), "endpoints": endpoints}
        screen.document(counts | {"faults": []})
        return
    _out.print(f"{len(found.providers)} providers, {len(found.models)} models, {endpoints} endpoints: nothing wrong.")


def read(folder: Path, *, as_json: bool = False) -> models.Catalog:
    """The catalog in this folder; its faults are printed, one a line or as JSON, and end the command with 1."""
    try:
        return files.load(folder, registry.ABILITIES)
    except files.CatalogError as error:
        if as_json:
            screen.document({"faults": [str(fault) for fault in error.faults]})
            raise typer.Exit(1) from None
        for fault in error.faults:
            _out.print(str(fault), markup=False)
        raise typer.Exit(1) from None

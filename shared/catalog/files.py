"""Reads the catalog from a folder of YAML files. Everything wrong is told at once, with file, line and field."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pydantic
import pydantic_core

from shared.catalog import consistency, lines
from shared.domain import models

E = TypeVar("E", bound=models.Entry)

# A place for anchors (`&video`) that entries refer to; nothing in it is read as an entry.
SCRATCH = "templates"
SECTIONS = ("providers", "models")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong, and where it is written."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field + ': ' if self.field else ''}{self.message}"


class CatalogError(Exception):
    """The catalog cannot be used; `faults` lists every reason."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("The catalog cannot be used:\n" + "\n".join(f"  {fault}" for fault in self.faults))


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    document: lines.Document

    def fault(self, path: lines.Path, message: str) -> Fault:
        return Fault(self.name, self.document.line_of(path), _shown(path), message)


@dataclass(frozen=True, slots=True)
class _Written:
    """An entry of the catalog with the place it stands at."""

    file: _File
    path: lines.Path
    entry: models.Entry

    def fault(self, path: lines.Path, message: str) -> Fault:
        return self.file.fault((*self.path, *path), message)


def load(folder: Path, adapters: Mapping[str, models.Abilities]) -> models.Catalog:
    """The catalog in the `*.yaml` files of a folder, whole and consistent. `adapters` are those a provider may name,
    with what each can do. Raises CatalogError with all faults found. May be repeated.
    """
    faults: list[Fault] = []
    files = _read_folder(folder, faults)
    providers = [entry for file in files for entry in _entries(file, "providers", models.Provider, faults)]
    offered = [entry for file in files for entry in _entries(file, "models", models.Model, faults)]
    catalog = models.Catalog(
        providers=_by_name(providers, "name", models.Provider, faults),
        models=_by_name(offered, "id", models.Model, faults),
    )
    # Entries that could not be read would be missed by the others: their own faults come first.
    if not faults:
        faults = _inconsistencies(catalog, [*providers, *offered], adapters)
    if faults:
        raise CatalogError(faults)
    return catalog


def _read_folder(folder: Path, faults: list[Fault]) -> list[_File]:
    paths = sorted(path for pattern in ("*.yaml", "*.yml") for path in folder.glob(pattern))
    if not paths:
        faults.append(Fault(str(folder), 0, "", "there are no *.yaml files here; set GENQUEUE_CATALOG_PATH"))
    files = []
    for path in paths:
        try:
            file = _File(path.name, lines.read(path.read_text(encoding="utf-8")))
        except lines.BadYamlError as error:
            faults.append(Fault(path.name, error.line, "", error.reason))
        except (OSError, UnicodeDecodeError) as error:
            faults.append(Fault(path.name, 1, "", f"cannot be read: {error}"))
        else:
            files += [file] if _is_shaped(file, faults) else []
    return files


def _is_shaped(file: _File, faults: list[Fault]) -> bool:
    content = file.document.content
    if not isinstance(content, dict):
        faults.append(file.fault((), f"a catalog file is a mapping with {' and '.join(SECTIONS)}"))
        return False
    found = [
        file.fault((str(key),), f"unknown section; there are {', '.join((*SECTIONS, SCRATCH))}")
        for key in content
        if key not in (*SECTIONS, SCRATCH)
    ]
    found += [
        file.fault((key,), "must be a list of entries")
        for key in SECTIONS
        if not isinstance(content.get(key) or [], list)
    ]
    faults += found
    return not found


def _entries(file: _File, section: str, kind: type[E], faults: list[Fault]) -> list[_Written]:
    found = []
    for index, raw in enumerate(file.document.content.get(section) or []):
        try:
            found.append(_Written(file, (section, index), kind.model_validate(raw)))
        except pydantic.ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            faults += [file.fault((section, index, *each["loc"]), _sentence(each)) for each in details]
    return found


def _sentence(detail: pydantic_core.ErrorDetails) -> str:
    """Pydantic's words, but for the two that speak of code."""
    if detail["type"] == "extra_forbidden":
        return "there is no such field"
    return "is missing" if detail["type"] == "missing" else str(detail["msg"])


def _by_name(written: list[_Written], key: str, kind: type[E], faults: list[Fault]) -> dict[str, E]:
    first: dict[str, _Written] = {}
    for entry in written:
        name = getattr(entry.entry, key)
        if name in first:
            other = first[name].fault((key,), "")
            faults.append(entry.fault((key,), f"{name!r} is already defined at {other.file}:{other.line}"))
        first.setdefault(name, entry)
    return {name: entry.entry for name, entry in first.items() if isinstance(entry.entry, kind)}


def _inconsistencies(
    catalog: models.Catalog, written: list[_Written], adapters: Mapping[str, models.Abilities]
) -> list[Fault]:
    found = []
    for entry in written:
        if isinstance(entry.entry, models.Provider):
            complaints = consistency.of_provider(entry.entry, adapters)
            found += [entry.fault(path, message) for path, message in complaints]
        if isinstance(entry.entry, models.Model):
            complaints = consistency.of_model(entry.entry, catalog.providers, adapters)
            found += [entry.fault(path, message) for path, message in complaints]
    return found


def _shown(path: lines.Path) -> str:
    """`models[3].endpoints[0].limits`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")

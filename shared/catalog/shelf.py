"""The catalog in use: read once, and again when the operator asks."""

from collections.abc import Mapping
from pathlib import Path

from shared.catalog import files
from shared.domain import models


class Shelf:
    """Holds the current catalog. Reading `current` is cheap and safe from any thread."""

    def __init__(self, folder: Path, adapters: Mapping[str, models.Abilities]) -> None:
        """Load the folder; `adapters` are those that providers may name. Raises files.CatalogError."""
        self._folder = folder
        self._adapters = dict(adapters)
        self._current = files.load(folder, self._adapters)

    @property
    def current(self) -> models.Catalog:
        """The newest catalog that was found good. Take it once a piece of work and keep to it."""
        return self._current

    def reload(self) -> models.Catalog:
        """Read the folder again. If anything is wrong the old catalog stays, and files.CatalogError is raised."""
        self._current = files.load(self._folder, self._adapters)
        return self._current

"""Reading the catalog again while everything runs."""

from collections.abc import Callable

import structlog

from shared import errors, logs
from shared.catalog import files, shelf
from shared.domain import models

MOST_FAULTS = 50

_log: structlog.stdlib.BoundLogger = logs.get(__name__)


def reload(catalogs: shelf.Shelf, changed: Callable[[models.Catalog], None] = lambda _: None) -> None:
    """Read the folder again and tell `changed`; a bad catalog is logged and the old one serves on. Never raises for
    it. Blocks for the time of reading. May be repeated.
    """
    try:
        read(catalogs, changed)
    except errors.InvalidCatalogError as error:
        _log.error("catalog_refused", faults=(error.details or {}).get("faults"))


def read(catalogs: shelf.Shelf, changed: Callable[[models.Catalog], None] = lambda _: None) -> models.Catalog:
    """The same for somebody who waits for the answer. Raises InvalidCatalogError with file, line and field of every
    fault; then the old catalog serves on.
    """
    try:
        catalog = catalogs.reload()
    except files.CatalogError as error:
        faults = [str(fault) for fault in error.faults[:MOST_FAULTS]]
        raise errors.InvalidCatalogError(details={"faults": faults}) from error
    changed(catalog)
    _log.info("catalog_read", models=len(catalog.models), providers=len(catalog.providers))
    return catalog

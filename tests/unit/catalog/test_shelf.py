"""The catalog in use changes only for a good one."""

from pathlib import Path

import pytest

from shared.catalog import files, shelf
from tests.unit.catalog import test_files


def test_a_bad_catalog_leaves_the_old_one_in_use(tmp_path: Path) -> None:
    current = shelf.Shelf(test_files.write(tmp_path, acme=test_files.GOOD), test_files.ADAPTERS)
    before = current.current
    test_files.write(tmp_path, acme=test_files.GOOD.replace("kind: video", "kind: film"))
    with pytest.raises(files.CatalogError):
        current.reload()
    assert current.current is before


def test_a_good_catalog_replaces_the_old_one(tmp_path: Path) -> None:
    current = shelf.Shelf(test_files.write(tmp_path, acme=test_files.GOOD), test_files.ADAPTERS)
    before = current.current
    test_files.write(tmp_path, acme=test_files.GOOD.replace("name: Film", "name: Movie"))
    assert current.reload() is current.current
    assert current.current.models["acme/film"].name == "Movie"
    assert before.models["acme/film"].name == "Film"


def test_there_is_no_shelf_without_a_catalog(tmp_path: Path) -> None:
    with pytest.raises(files.CatalogError):
        shelf.Shelf(tmp_path, test_files.ADAPTERS)

"""Whose wish decides how long outputs are kept."""

import pytest

from shared.domain import tenants


@pytest.mark.parametrize(
    ("asked", "tenant", "house", "kept"),
    [
        (None, None, 30, 30),
        (None, 10, 30, 10),
        (None, 0, 30, 0),
        (5, None, 30, 5),
        (50, None, 30, 30),
        (50, 60, 30, 50),
        (50, 10, 30, 10),
        (50, 0, 30, 50),
        (50, None, 0, 50),
    ],
)
def test_the_jobs_wish_holds_within_the_tenants_limit(
    asked: int | None, tenant: int | None, house: int, kept: int
) -> None:
    assert tenants.retention_seconds(asked, tenant, house) == kept

"""The accounts: the same service under different base paths, each with its own habits."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """Whether repeated keys are recognised and whether references can be looked up."""

    name: str
    base_path: str
    deduplicates: bool
    searchable: bool


ACCOUNTS = (
    Account("default", "", deduplicates=True, searchable=True),
    Account("keyed", "/keyed", deduplicates=True, searchable=False),
    Account("searchable", "/searchable", deduplicates=False, searchable=True),
    Account("plain", "/plain", deduplicates=False, searchable=False),
)

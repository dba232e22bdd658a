"""A file a caller uploaded, to be named in later requests."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class File:
    """A row of `files`: bytes that are in the owner's storage under `key`. `purpose` is the caller's word."""

    id: str
    tenant_id: str
    key: str
    filename: str
    purpose: str
    media_type: str
    size_bytes: int
    sha256: str
    created_at: datetime
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewFile:
    """What is known of a file before its bytes are read."""

    tenant_id: str
    filename: str
    purpose: str
    media_type: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class FilePage:
    """Some files in the order asked for; `has_more` if there are others after the last one."""

    files: tuple[File, ...]
    has_more: bool


def key_for(tenant_id: str, file_id: str) -> str:
    """Where a file lies in the bucket; the tenant first, so that rights and erasure go by prefix."""
    return f"{tenant_id}/files/{file_id}"

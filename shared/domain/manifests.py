"""The manifest of a closed batch: which files there are, and how to tell that they are whole. Pure."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import orjson

from shared.domain import batches

NAME = "manifest.json"
MEDIA_TYPE = "application/json"


def of(batch: batches.Batch, files: Sequence[batches.ResultFile], now: datetime) -> bytes:
    """The manifest as JSON."""
    body = {
        "batch_id": batch.id,
        "generation": batch.generation,
        "status": batch.ends_as,
        "written_at": now,
        "source": batch.source_name,
        "rows": batch.counts.total,
        "counts": asdict(batch.counts),
        "cost_micros": batch.cost_micros,
        "files": [
            {"name": item.name, "media_type": item.media_type, "size_bytes": item.size_bytes, "sha256": item.sha256}
            for item in files
        ],
    }
    return orjson.dumps(body, option=orjson.OPT_INDENT_2)

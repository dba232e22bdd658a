"""OpenAI's embeddings, which most engines speak."""

from typing import Any

from shared.domain import outputs, requests, vectors
from shared.providers import base, bills, http, plain

PATH = "/embeddings"


def order(ask: base.Ask) -> plain.Order:
    """Ask for the vectors; the line is held until they are there."""
    request = ask.request
    assert isinstance(request, requests.EmbeddingRequest)  # noqa: S101 - the catalog's check: only these come here
    body = {
        "model": ask.upstream_model,
        "input": request.input,
        "dimensions": request.dimensions,
        "encoding_format": "float",
    }
    return plain.Order(PATH, read, body, seconds=http.GENERATE_SECONDS)


def read(reply: http.Reply) -> base.SubmitOutcome:
    """The vectors in the order of their texts, whatever order they came in."""
    found: list[dict[str, Any]] = sorted(reply.body["data"], key=lambda item: item["index"])
    text = vectors.dump([item["embedding"] for item in found])
    source = outputs.Source(media_type="application/json", text=text)
    return base.Finished((source,) if found else (), bills.of_usage(reply.body.get("usage")))

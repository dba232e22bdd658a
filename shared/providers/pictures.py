"""OpenAI's image generations, which several providers speak: `{"data": [{"b64_json"} or {"url"}]}`."""

import base64
from typing import Any

from shared.domain import outputs
from shared.providers import base, bills, http


def read(reply: http.Reply) -> base.SubmitOutcome:
    """The pictures, inline or by URL."""
    sources = tuple(_source(item) for item in reply.body["data"])
    return base.Finished(sources, bills.of_usage(reply.body.get("usage")))


def _source(item: dict[str, Any]) -> outputs.Source:
    encoded, media_type = item.get("b64_json"), item.get("media_type")
    if encoded:
        return outputs.Source(media_type=media_type, body=base64.b64decode(encoded, validate=True))
    return located(item["url"])


def located(url: str) -> outputs.Source:
    """A picture by its URL; a data: URL is decoded. Raises ValueError."""
    if not isinstance(url, str) or not url:
        raise ValueError("no URL")
    if not url.startswith("data:"):
        return outputs.Source(url=url)
    head, _, encoded = url.partition(",")
    media_type = head.removeprefix("data:").partition(";")[0]
    return outputs.Source(media_type=media_type, body=base64.b64decode(encoded, validate=True))

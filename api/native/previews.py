"""The body of routes that only look at a request: its kind, and the request as it would be submitted."""

from typing import Annotated, Any

import fastapi
import pydantic

from api import auth, parts, validation
from shared.domain import keys, models, requests, states


class Body(requests.Strict):
    """A request that is not to be run."""

    kind: Annotated[states.Kind, pydantic.Field(strict=False)]
    request: dict[str, Any] = pydantic.Field(
        description="What you would POST to `/v1/videos`, `/v1/images`, `/v1/texts` or `/v1/embeddings`",
        examples=[{"model": "sandbox/video", "prompt": "A paper boat on a rainy street", "duration": 5}],
    )


class _Video(requests.Strict):
    request: requests.VideoRequest


class _Image(requests.Strict):
    request: requests.ImageRequest


class _Text(requests.Strict):
    request: requests.TextRequest


class _Embedding(requests.Strict):
    request: requests.EmbeddingRequest


_WHOLE: dict[states.Kind, type[_Video] | type[_Image] | type[_Text] | type[_Embedding]] = {
    states.Kind.VIDEO: _Video,
    states.Kind.IMAGE: _Image,
    states.Kind.TEXT: _Text,
    states.Kind.EMBEDDING: _Embedding,
}


async def _looked_at(body: Body) -> tuple[states.Kind, requests.AnyRequest]:
    whole = _WHOLE[body.kind]
    try:
        return body.kind, whole.model_validate({"request": body.request}).request
    except pydantic.ValidationError as error:
        found = [item | {"loc": ("body", *item["loc"])} for item in error.errors()]
        raise validation.of_pydantic(found, whole) from None


def reachable(given: parts.Parts, caller: auth.Caller, catalog: models.Catalog) -> frozenset[str]:
    """The providers that a request of this caller may be sent to: a test key reaches sandboxes only."""
    usable = given.usable_providers(catalog)
    return usable & catalog.sandboxes() if caller.mode is keys.Mode.TEST else usable


# Kind and request, checked as the submit would. Raises InvalidRequestError and its kind.
LookedAt = Annotated[tuple[states.Kind, requests.AnyRequest], fastapi.Depends(_looked_at)]

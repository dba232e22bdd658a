"""`/api/v1/models`, `videos/models` and `images/models`."""

from typing import Annotated, Any

import fastapi

from api import auth, parts, routing
from api.openrouter import model_answers
from shared import errors
from shared.domain import models, states
from shared.services import models as model_services

router = fastapi.APIRouter(prefix="/api/v1", route_class=routing.DialectRoute, include_in_schema=False)

_MODALITIES = ("text", "image", "embeddings", "audio", "video", "rerank", "decisions", "speech", "transcription")


@router.get("/videos/models")
async def list_video_models(_caller: auth.Authenticated, given: parts.Given) -> dict[str, Any]:
    """Models that make videos."""
    return {"data": [model_answers.video(model) for model in _available(given, states.Kind.VIDEO)]}


@router.get("/images/models")
async def list_image_models(_caller: auth.Authenticated, given: parts.Given) -> dict[str, Any]:
    """Models that make pictures."""
    return {"data": [model_answers.image(model) for model in _available(given, states.Kind.IMAGE)]}


@router.get("/images/models/{author}/{slug:path}/endpoints")
async def list_image_endpoints(
    author: str, slug: str, _caller: auth.Authenticated, given: parts.Given
) -> dict[str, Any]:
    """Where a picture model can be had."""
    return model_answers.image_endpoints(_find(given, author, slug))


@router.get("/models")
async def list_models(
    _caller: auth.Authenticated,
    given: parts.Given,
    output_modalities: str = "text",
    q: str | None = None,
    offset: Annotated[int, fastapi.Query(ge=0)] = 0,
    limit: Annotated[int | None, fastapi.Query(ge=1, le=1000)] = None,
) -> dict[str, Any]:
    """The catalog; only what makes texts, unless asked for more."""
    wanted = _modalities(output_modalities)
    found = [model for model in _available(given) if model_answers.modality(model) in wanted and _matches(model, q)]
    end = offset + (limit or 500) if limit or offset else len(found)
    following = f"/api/v1/models?offset={end}&limit={limit or 500}&output_modalities={output_modalities}"
    return {
        "data": [model_answers.model(given, model) for model in found[offset:end]],
        "total_count": len(found),
        "links": {"next": given.url(following) if end < len(found) else None},
    }


@router.get("/models/count")
async def count_models(
    _caller: auth.Authenticated, given: parts.Given, output_modalities: str = "text"
) -> dict[str, Any]:
    """How many models there are."""
    wanted = _modalities(output_modalities)
    return {"data": {"count": sum(1 for model in _available(given) if model_answers.modality(model) in wanted)}}


@router.get("/models/user")
async def list_own_models(_caller: auth.Authenticated, given: parts.Given) -> dict[str, Any]:
    """What this key may use: everything that is available."""
    found = _available(given)
    data = [model_answers.model(given, model) for model in found]
    return {"data": data, "total_count": len(found), "links": {"next": None}}


@router.get("/models/{author}/{slug:path}/endpoints")
async def list_endpoints(author: str, slug: str, _caller: auth.Authenticated, given: parts.Given) -> dict[str, Any]:
    """Where a model can be had, and at what price."""
    return {"data": model_answers.with_endpoints(_find(given, author, slug))}


@router.get("/model/{author}/{slug:path}")
async def retrieve(author: str, slug: str, _caller: auth.Authenticated, given: parts.Given) -> dict[str, Any]:
    """One model."""
    return {"data": model_answers.model(given, _find(given, author, slug))}


def _available(given: parts.Parts, kind: states.Kind | None = None) -> list[models.Model]:
    catalog = given.catalog
    views = model_services.list_all(catalog, given.usable_providers(catalog), model_services.Wanted(kind=kind))
    return [view.model for view in views if view.available]


def _find(given: parts.Parts, author: str, slug: str) -> models.Model:
    catalog = given.catalog
    return model_services.get(catalog, given.usable_providers(catalog), f"{author}/{slug}").model


def _modalities(words: str) -> frozenset[str]:
    wanted = {word.strip() for word in words.split(",")}
    if "all" in wanted:
        return frozenset(_MODALITIES)
    for word in sorted(wanted - set(_MODALITIES)):
        raise errors.InvalidRequestError(
            f"{word[:40]!r} is no modality.", param="output_modalities", accepted=[*_MODALITIES, "all"]
        )
    return frozenset(wanted)


def _matches(model: models.Model, words: str | None) -> bool:
    return words is None or words.lower() in f"{model.id} {model.name} {model.description}".lower()

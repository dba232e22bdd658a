"""`/v1/models`: what can be asked for, and at what price."""

from typing import Annotated

import fastapi
import pydantic

from api import auth, errors, parts, routing
from shared.domain import models, states
from shared.services import models as model_services

router = fastapi.APIRouter(route_class=routing.CheckedRoute, tags=["models"])


class Price(pydantic.BaseModel):
    """US dollars for one unit; with `resolution` or `size`, only for outputs of that form."""

    unit: models.Unit
    usd: str = pydantic.Field(examples=["0.01"])
    resolution: str | None
    size: str | None


class Endpoint(pydantic.BaseModel):
    """One provider's offer of the model."""

    provider: str
    available: bool = pydantic.Field(description="Whether it is switched on and this installation has a key for it")
    prices: list[Price]
    retains: bool = pydantic.Field(description="The provider may keep prompts and outputs")
    trains: bool = pydantic.Field(description="The provider may train on them")
    zdr: bool = pydantic.Field(description="Zero data retention is agreed")


class Model(pydantic.BaseModel):
    """A model. An empty list means: it has no such choice; leave the field out."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={
            "example": {
                "id": "sandbox/video",
                "kind": "video",
                "name": "Sandbox video",
                "description": "A real MP4, made offline.",
                "available": True,
                "durations": [1, 2, 5],
                "resolutions": ["480p", "720p"],
                "aspect_ratios": ["16:9", "9:16"],
                "sizes": ["1280x720"],
                "formats": [],
                "parameters": ["seed"],
                "max_n": 1,
                "max_prompt_characters": 4000,
                "usual_seconds": 5.0,
                "endpoints": [
                    {
                        "provider": "sandbox",
                        "available": True,
                        "prices": [{"unit": "second", "usd": "0.01", "resolution": None, "size": None}],
                        "retains": False,
                        "trains": False,
                        "zdr": True,
                    }
                ],
            }
        }
    )

    id: str
    kind: states.Kind
    name: str
    description: str
    available: bool
    durations: list[int]
    resolutions: list[str]
    aspect_ratios: list[str]
    sizes: list[str]
    formats: list[str]
    parameters: list[str]
    max_n: int
    max_prompt_characters: int
    usual_seconds: float
    endpoints: list[Endpoint]


class ModelList(pydantic.BaseModel):
    """All models that fit, by id."""

    data: list[Model]


_SAME_NAME = (
    "id",
    "kind",
    "name",
    "description",
    "durations",
    "resolutions",
    "aspect_ratios",
    "sizes",
    "formats",
    "parameters",
    "max_n",
    "max_prompt_characters",
    "usual_seconds",
)


@router.get("/v1/models", operation_id="list_models", responses=errors.documented(400, 401))
async def list_models(
    _caller: auth.Authenticated,
    given: parts.Given,
    kind: states.Kind | None = None,
    output_modality: Annotated[list[states.Kind], fastapi.Query(description="May be repeated: any of these")] = [],  # noqa: B006 - FastAPI copies it
    provider: Annotated[str | None, fastapi.Query(max_length=200, description="Only models it offers")] = None,
    parameter: Annotated[
        str | None, fastapi.Query(max_length=200, description="Only models that take it, such as `seed`")
    ] = None,
) -> ModelList:
    """The catalog. All conditions given must hold, provider and parameter at the same endpoint."""
    catalog = given.catalog
    usable = given.usable_providers(catalog)
    wanted = model_services.Wanted(kind, frozenset(output_modality) or None, provider, parameter)
    return ModelList(data=[_answer(view, usable) for view in model_services.list_all(catalog, usable, wanted)])


@router.get("/v1/models/{model_id:path}", operation_id="get_model", responses=errors.documented(400, 401, 404))
async def get_model(
    model_id: Annotated[str, fastapi.Path(examples=["sandbox/video"])], _caller: auth.Authenticated, given: parts.Given
) -> Model:
    """One model. Its id may be sent with its slash as it is."""
    catalog = given.catalog
    usable = given.usable_providers(catalog)
    return _answer(model_services.get(catalog, usable, model_id), usable)


def _answer(view: model_services.ModelView, usable: frozenset[str]) -> Model:
    same = {name: getattr(view.model, name) for name in _SAME_NAME}
    offers = [_endpoint(endpoint, usable) for endpoint in view.model.endpoints]
    return Model.model_validate({**same, "available": view.available, "endpoints": offers})


def _endpoint(endpoint: models.Endpoint, usable: frozenset[str]) -> Endpoint:
    return Endpoint(
        provider=endpoint.provider,
        available=endpoint.enabled and endpoint.provider in usable,
        prices=prices_of(endpoint),
        retains=endpoint.policy.retains,
        trains=endpoint.policy.trains,
        zdr=endpoint.policy.zdr,
    )


def prices_of(endpoint: models.Endpoint) -> list[Price]:
    """An endpoint's prices as they are shown."""
    return [
        Price(unit=price.unit, usd=format(price.usd, "f"), resolution=price.resolution, size=price.size)
        for price in endpoint.prices
    ]

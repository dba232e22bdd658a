"""What the catalog holds: models, and the endpoints where each can be had."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.domain import states

Slug = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w./:@-]+$")]


class Entry(BaseModel):
    """Catalog entries never change once loaded, and take no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Doubt(StrEnum):
    """What a provider offers when its answer to a submit was lost (DESIGN, life of a job, 3)."""

    KEYED = "K"
    SEARCHABLE = "L"
    NEITHER = "N"


class Unit(StrEnum):
    """What a price is for one of."""

    SECOND = "second"
    IMAGE = "image"
    REQUEST = "request"
    INPUT_TOKEN = "input_token"  # noqa: S105 - a unit, not a secret
    OUTPUT_TOKEN = "output_token"  # noqa: S105 - a unit, not a secret


class Price(Entry):
    """USD for one unit; with `resolution` or `size`, only for outputs of that form."""

    unit: Unit
    usd: Annotated[Decimal, Field(ge=0)]
    resolution: str | None = None
    size: str | None = None


class Limits(Entry):
    """What the provider lets us do, and how long an accepted job may run before it counts as stuck."""

    concurrency: Annotated[int, Field(ge=1)]
    requests_per_minute: Annotated[int, Field(ge=1)]
    stuck_seconds: Annotated[int, Field(ge=1)] = 1800


class Policy(Entry):
    """What the provider does with prompts and outputs."""

    retains: bool = True
    trains: bool = True
    zdr: bool = False


def endpoint_name(model: str, provider: str) -> str:
    """`model@provider`: what an endpoint is called everywhere."""
    return f"{model}@{provider}"


class Endpoint(Entry):
    """One provider's offer of a model."""

    provider: Slug
    upstream_model: Slug
    prices: tuple[Price, ...]
    limits: Limits
    policy: Policy = Policy()
    parameters: tuple[str, ...] | None = None
    enabled: bool = True

    def name_for(self, model: str) -> str:
        """The endpoint's own name: `model@provider`."""
        return endpoint_name(model, self.provider)


class Model(Entry):
    """What a caller names. Empty tuples mean: the model has no such choice, and the parameter is refused."""

    id: Slug
    kind: states.Kind
    name: str
    description: str = ""
    durations: tuple[int, ...] = ()
    resolutions: tuple[str, ...] = ()
    aspect_ratios: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    max_n: Annotated[int, Field(ge=1)] = 1
    max_prompt_characters: Annotated[int, Field(ge=1)] = 4000
    usual_seconds: Annotated[float, Field(gt=0)] = 10.0
    endpoints: tuple[Endpoint, ...]


class Provider(Entry):
    """An outside company or engine, reached by one adapter module."""

    name: Slug
    adapter: Slug
    base_url: str = ""
    doubt: Doubt = Doubt.NEITHER
    needs_key: bool = True


class Catalog(Entry):
    """All that can be asked for, by slug."""

    providers: dict[str, Provider]
    models: dict[str, Model]

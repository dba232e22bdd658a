"""What the catalog holds: models, and the endpoints where each can be had."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from shared.domain import states

SANDBOX = "sandbox"

Slug = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w./:@-]+$")]


class Entry(BaseModel):
    """Catalog entries never change once loaded, and take no unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Doubt(StrEnum):
    """What a provider offers when its answer to a submit was lost (DESIGN, life of a job, 3)."""

    KEYED = "K"
    SEARCHABLE = "L"
    NEITHER = "N"


@dataclass(frozen=True, slots=True)
class Abilities:
    """What an adapter can do. `fields`: the kinds it makes, each with the optional request fields it passes on.
    `doubts`: the classes it can keep, its best first; N is kept by all.
    """

    fields: Mapping[states.Kind, frozenset[str]]
    doubts: tuple[Doubt, ...] = ()

    def doubt(self, wanted: Doubt | None) -> Doubt:
        """The class to go by: the operator may take a weaker one than the adapter's best, never another."""
        best = self.doubts[0] if self.doubts else Doubt.NEITHER
        if wanted is None:
            return best
        return wanted if wanted in self.doubts else Doubt.NEITHER


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
    """One provider's offer of a model. `route` chooses where an adapter has several ways to ask; `options` go into
    every ask as they stand, over what the adapter would send, with `{prompt}` and the like filled in.
    """

    provider: Slug
    upstream_model: Slug
    route: str = ""
    options: dict[str, Any] = {}
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
    """An outside company or engine, reached by one adapter module. `doubt` unset: the best the adapter can keep."""

    name: Slug
    adapter: Slug
    base_url: str = ""
    doubt: Doubt | None = None
    needs_key: bool = True


class Catalog(Entry):
    """All that can be asked for, by slug."""

    providers: dict[str, Provider]
    models: dict[str, Model]

    def sandboxes(self) -> frozenset[str]:
        """The providers that are sandboxes: all that a test key may reach."""
        return frozenset(name for name, provider in self.providers.items() if provider.adapter == SANDBOX)

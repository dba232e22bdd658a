"""What a schema cannot say about catalog entries: names that must exist, prices that must apply."""

from collections.abc import Collection, Iterator, Mapping

from shared import errors
from shared.catalog import lines
from shared.domain import models, names, requests, sizes, states, templates

Complaint = tuple[lines.Path, str]

# A price in any other unit would never be counted, and the model would seem free.
UNITS = {
    states.Kind.VIDEO: {models.Unit.SECOND, models.Unit.REQUEST},
    states.Kind.IMAGE: {models.Unit.IMAGE, models.Unit.REQUEST},
    states.Kind.TEXT: {models.Unit.INPUT_TOKEN, models.Unit.OUTPUT_TOKEN, models.Unit.REQUEST},
    states.Kind.EMBEDDING: {models.Unit.INPUT_TOKEN, models.Unit.REQUEST},
}


def of_provider(provider: models.Provider, adapters: Mapping[str, models.Abilities]) -> Iterator[Complaint]:
    """What is wrong with a provider, by field."""
    if provider.adapter not in adapters:
        yield ("adapter",), _unknown("adapter", provider.adapter, adapters)
        return
    keeps = (*adapters[provider.adapter].doubts, models.Doubt.NEITHER)
    if provider.doubt is not None and provider.doubt not in keeps:
        yield ("doubt",), f"the adapter {provider.adapter} cannot keep {provider.doubt}; it keeps {', '.join(keeps)}"


def of_model(
    model: models.Model, providers: Mapping[str, models.Provider], adapters: Mapping[str, models.Abilities]
) -> Iterator[Complaint]:
    """What is wrong with a model and its endpoints, by field."""
    if not model.endpoints:
        yield ("endpoints",), "a model needs at least one endpoint"
    yield from _bad_sizes(model)
    yield from _bad_parameters(model.kind, model.parameters, ("parameters",))
    seen: set[str] = set()
    for index, endpoint in enumerate(model.endpoints):
        path: lines.Path = ("endpoints", index)
        if endpoint.provider not in providers:
            yield (*path, "provider"), _unknown("provider", endpoint.provider, providers)
        elif (adapter := providers[endpoint.provider].adapter) in adapters:
            yield from _beyond(model, endpoint, adapter, adapters[adapter], path)
        if endpoint.provider in seen:
            yield (*path, "provider"), f"{model.id} already has an endpoint at {endpoint.provider!r}"
        seen.add(endpoint.provider)
        yield from _bad_parameters(model.kind, endpoint.parameters or (), (*path, "parameters"))
        yield from _bad_prices(model, endpoint, (*path, "prices"))


def _beyond(
    model: models.Model, endpoint: models.Endpoint, adapter: str, abilities: models.Abilities, path: lines.Path
) -> Iterator[Complaint]:
    """What is promised to callers and the adapter would drop without a word."""
    if model.kind not in abilities.fields:
        yield (*path, "provider"), f"the adapter {adapter} makes no {model.kind}"
        return
    filled_in = set(templates.places(endpoint.options))
    for name in sorted(filled_in - set(templates.PLACES)):
        yield (*path, "options"), _unknown("place for a value", f"{{{name}}}", templates.PLACES)
    passed_on = abilities.fields[model.kind] | {templates.PLACES.get(name) for name in filled_in}
    promised = model.parameters if endpoint.parameters is None else endpoint.parameters
    for parameter in (*promised, *(("n",) if model.max_n > 1 else ())):
        if parameter in requests.BY_KIND[model.kind].model_fields and parameter not in passed_on:
            place = path if endpoint.parameters is None else (*path, "parameters")
            yield place, f"the adapter {adapter} does not pass on {parameter} of a {model.kind} request"


def _bad_sizes(model: models.Model) -> Iterator[Complaint]:
    for field, read in (
        ("sizes", sizes.parse),
        ("resolutions", sizes.short_side),
        ("aspect_ratios", sizes.ratio),
    ):
        for index, written in enumerate(getattr(model, field)):
            try:
                read(written)
            except errors.UnsupportedValueError as error:
                yield (field, index), error.message


def _bad_parameters(kind: states.Kind, parameters: Collection[str], path: lines.Path) -> Iterator[Complaint]:
    known = set(requests.BY_KIND[kind].model_fields)
    for index, parameter in enumerate(parameters):
        if parameter not in known:
            yield (*path, index), _unknown(f"parameter of a {kind} request", parameter, known)


def _bad_prices(model: models.Model, endpoint: models.Endpoint, path: lines.Path) -> Iterator[Complaint]:
    for index, price in enumerate(endpoint.prices):
        if price.unit not in UNITS[model.kind]:
            yield (*path, index, "unit"), f"a {model.kind} is never charged by the {price.unit}"
        if price.resolution is not None and price.resolution not in model.resolutions:
            yield (*path, index, "resolution"), f"{model.id} has no resolution {price.resolution!r}"
        if price.size is not None and price.size not in model.sizes:
            yield (*path, index, "size"), f"{model.id} has no size {price.size!r}"
    general = {price.unit for price in endpoint.prices if price.resolution is None and price.size is None}
    for unit in sorted({price.unit for price in endpoint.prices} - general):
        yield path, f"add a price by the {unit} without resolution and size: it holds when a caller names neither"


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    near = names.near(name, known) or sorted(known)
    return f"there is no {what} {name!r}; there is {', '.join(near)}"

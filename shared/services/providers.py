"""Checking a provider with the operator's own key: is it taken, are our models theirs, does a small ask come back."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson

from shared.domain import asks, faults, models, outputs, pricing, requests, states
from shared.outbound import downloads
from shared.providers import base, http, plain
from shared.services import doctor
from shared.storage import forms

PROMPT = "A red balloon over a quiet bay."
FEW_TOKENS = 32
POLL_SECONDS = 5.0
_PREFIX = "models/"  # Google's names


@dataclass(frozen=True, slots=True)
class Trial:
    """The ask a check would pay for."""

    model: models.Model
    endpoint: models.Endpoint
    ask: base.Ask
    estimate_micros: int


class NoTrialError(Exception):
    """The catalog offers nothing of this provider that could be asked."""


def cheapest(catalog: models.Catalog, provider: str, model_id: str | None, reference: str) -> Trial:
    """The cheapest small request to this provider, or the one for `model_id`. Raises NoTrialError."""
    offers = [
        (model, endpoint)
        for model in catalog.models.values()
        for endpoint in model.endpoints
        if endpoint.provider == provider and model_id in (None, model.id)
    ]
    if not offers:
        raise NoTrialError(provider)
    return min((_trial(model, endpoint, reference) for model, endpoint in offers), key=lambda one: one.estimate_micros)


def _trial(model: models.Model, endpoint: models.Endpoint, reference: str) -> Trial:
    body: dict[str, Any] = {"model": model.id}
    body |= {"input": [PROMPT]} if model.kind is states.Kind.EMBEDDING else {"prompt": PROMPT}
    if model.durations:
        body["duration"] = min(model.durations)
    if model.kind is states.Kind.TEXT and "max_tokens" in model.parameters:
        body["max_tokens"] = FEW_TOKENS
    request = requests.BY_KIND[model.kind].model_validate(body)
    ask = base.Ask(
        kind=model.kind,
        upstream_model=endpoint.upstream_model,
        request=request,
        reference=reference,
        pixels=asks.pixels(model, request),
        seconds=asks.seconds(model, request),
        route=endpoint.route,
        options=endpoint.options,
    )
    return Trial(model, endpoint, ask, pricing.estimate(model, endpoint, request))


async def visit(adapter: base.Adapter, asked_for: frozenset[str]) -> list[doctor.Finding]:
    """Whether the key is taken, and which of the upstream names `asked_for` the provider does not list. Free."""
    if not isinstance(adapter, plain.PlainAdapter) or not adapter.visits:
        return [doctor.Finding("key", "nothing free to ask here", "Try it with --spend.")]
    return [finding for place in adapter.visits for finding in await _visited(adapter, place, asked_for)]


async def _visited(adapter: plain.PlainAdapter, place: plain.Visit, asked_for: frozenset[str]) -> list[doctor.Finding]:
    check = f"GET {place.path.partition('?')[0]}"
    answer = await adapter.ask("GET", place.path)
    if not isinstance(answer, http.Reply):
        return [doctor.Finding(check, f"no answer: {answer.message}", "Look at the provider's base_url.")]
    fault = adapter.dialect.fault(answer)
    if fault is not None and fault.kind not in place.fine:
        return [doctor.Finding(check, f"{fault.kind}: {fault.message}", _ADVICE.get(fault.kind, "Ask the provider."))]
    found = [doctor.Finding(check, "the key is taken")]
    return found if not place.name else [*found, _missing(answer, place, asked_for)]


_ADVICE = {
    faults.FaultKind.AUTH: "Set the right key in GENQUEUE_PROVIDER_KEYS.",
    faults.FaultKind.OUT_OF_CREDIT: "Top up the account.",
    faults.FaultKind.THROTTLED: "Try again later.",
    faults.FaultKind.NOT_FOUND: "Look at the provider's base_url.",
}


def _missing(answer: http.Reply, place: plain.Visit, asked_for: frozenset[str]) -> doctor.Finding:
    listed = frozenset(_names(answer, place))
    missing = sorted(asked_for - listed)
    if not missing:
        return doctor.Finding("models", f"all {len(asked_for)} of ours are among their {len(listed)}")
    return doctor.Finding(
        "models", f"not in their list: {', '.join(missing)}", "Look at upstream_model in the catalog."
    )


def _names(answer: http.Reply, place: plain.Visit) -> Iterator[str]:
    try:
        content = orjson.loads(answer.content)
        for item in content[place.under] if place.under else content:
            yield str(item[place.name]).removeprefix(_PREFIX)
    except http.MISSHAPEN:
        return


async def try_out(
    adapter: base.Adapter, trial: Trial, downloader: downloads.Downloader, pause_seconds: float = POLL_SECONDS
) -> AsyncIterator[doctor.Finding]:
    """Ask once, wait for the end, fetch what came of it. This is paid for. Nothing is stored."""
    outcome: base.SubmitOutcome | base.PollOutcome = await adapter.submit(trial.ask)
    yield _told("submit", outcome)
    if isinstance(outcome, base.Accepted):
        upstream_id = outcome.upstream_id
        if isinstance(adapter, plain.PlainAdapter) and models.Doubt.SEARCHABLE in adapter.abilities.doubts:
            yield await _looked_up(adapter, trial.ask.reference, upstream_id)
        outcome = await adapter.poll(upstream_id)
        while isinstance(outcome, base.Running | base.PollLost):
            yield _told("poll", outcome)
            await asyncio.sleep(max(pause_seconds, outcome.retry_after_seconds or 0))
            outcome = await adapter.poll(upstream_id)
        yield _told("poll", outcome)
    if isinstance(outcome, base.Finished):
        for source in outcome.sources:
            yield await _fetched(adapter, source, downloader, trial.model.kind)


async def _looked_up(adapter: base.Adapter, reference: str, upstream_id: str) -> doctor.Finding:
    """Class L is a promise about money: what was accepted must be found, and what was not must not. Looked at also
    where the catalog takes the weaker class, so that an operator can see whether the better one would hold.
    """
    advice = "Set doubt: N for this provider in the catalog."
    try:
        found, other = await adapter.find(reference), await adapter.find(f"{reference}-never-sent")
    except base.LookupFailedError:
        return doctor.Finding("look-up", "it could not be asked", advice)
    if found is None or found.upstream_id.rpartition("/")[2] != upstream_id.rpartition("/")[2] or other is not None:
        return doctor.Finding("look-up", "it does not find what it accepted, and only that", advice)
    return doctor.Finding("look-up", "it finds what it accepted, and only that: class L holds")


def _told(check: str, outcome: base.SubmitOutcome | base.PollOutcome) -> doctor.Finding:
    match outcome:
        case base.Accepted():
            return doctor.Finding(check, f"accepted as {outcome.upstream_id}")
        case base.Finished():
            billed = outcome.usage.cost_micros if outcome.usage else None
            said = f"done, {len(outcome.sources)} results" + (f", billed {billed} micro-dollars" if billed else "")
            return doctor.Finding(check, said, "" if outcome.sources else "It delivered nothing.")
        case base.Running():
            odd = f"The adapter does not know the status {outcome.odd_status!r}." if outcome.odd_status else ""
            progress = "" if outcome.progress is None else f", {outcome.progress} %"
            return doctor.Finding(check, f"running{progress}", odd)
        case base.PollLost() | base.Unknown():
            return doctor.Finding(
                check, outcome.message, "Wait; it may still be there." if check == "poll" else "Lost."
            )
        case _:
            said = f"{type(outcome).__name__.lower()}: {outcome.fault.kind}: {outcome.fault.message}"
            return doctor.Finding(check, said, _ADVICE.get(outcome.fault.kind, "Read what it says."))


async def _fetched(
    adapter: base.Adapter, source: outputs.Source, downloader: downloads.Downloader, kind: states.Kind
) -> doctor.Finding:
    try:
        body = await _body(adapter, source, downloader)
    except downloads.DownloadError as error:
        return doctor.Finding("fetch", f"the result cannot be fetched: {error}", "Look at allowed networks and URLs.")
    form = _written(kind) if kind in states.WRITTEN else forms.form_of(body[: forms.HEAD_BYTES])
    if form is None or form.kind is not kind:
        return doctor.Finding("fetch", f"{len(body)} bytes that are no {kind}", "The output would be refused.")
    return doctor.Finding("fetch", f"{len(body)} bytes, {form.media_type}")


def _written(kind: states.Kind) -> forms.Form:
    return replace(forms.TEXT, kind=kind)


async def _body(adapter: base.Adapter, source: outputs.Source, downloader: downloads.Downloader) -> bytes:
    if source.url is None:
        return source.body if source.body is not None else (source.text or "").encode()
    async with downloader.fetch(source.url, adapter.download_headers(source.url)) as download:
        return b"".join([chunk async for chunk in download.chunks])

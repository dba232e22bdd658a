"""Small catalogs, requests and attempts for tests of the rules."""

from datetime import UTC, datetime
from decimal import Decimal

from shared.domain import attempts, faults, models, requests, routing, states

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIMITS = models.Limits(concurrency=10, requests_per_minute=600)


def endpoint(provider: str, usd: str = "0.10", **fields: object) -> models.Endpoint:
    prices = (models.Price(unit=models.Unit.SECOND, usd=Decimal(usd)),)
    return models.Endpoint.model_validate(
        {"provider": provider, "upstream_model": "m", "prices": prices, "limits": LIMITS} | fields
    )


def model(slug: str, *endpoints: models.Endpoint, **fields: object) -> models.Model:
    return models.Model.model_validate(
        {"id": slug, "kind": states.Kind.VIDEO, "name": slug, "durations": (4,), "endpoints": endpoints} | fields
    )


def catalog(*entries: models.Model) -> models.Catalog:
    names = {offer.provider for entry in entries for offer in entry.endpoints}
    providers = {name: models.Provider(name=name, adapter="sandbox", needs_key=False) for name in names}
    return models.Catalog(providers=providers, models={entry.id: entry for entry in entries})


def video(slug: str = "a/one", **fields: object) -> requests.VideoRequest:
    return requests.VideoRequest.model_validate({"model": slug, "prompt": "a heron"} | fields)


def route(*providers: str) -> routing.Route:
    """One model, offered by these providers, in this order."""
    offers = [endpoint(name, str(place + 1)) for place, name in enumerate(providers)]
    return routing.decide(video(), catalog(model("a/one", *offers)), frozenset(providers))


def attempt(number: int, provider: str, fault: faults.FaultKind | None, **fields: object) -> attempts.Attempt:
    values: dict[str, object] = {
        "id": f"att_{number}",
        "job_id": "job_1",
        "number": number,
        "model": "a/one",
        "provider": provider,
        "upstream_model": "m",
        "credential": 0,
        "status": states.AttemptStatus.REFUSED,
        "reference": f"job_1.{number}",
        "created_at": NOW,
        "finished_at": NOW,
        "fault": fault,
        "fault_message": "no",
    }
    return attempts.Attempt(**(values | fields))  # type: ignore[arg-type] # a builder for tests takes any field

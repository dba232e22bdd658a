"""What an attempt that delivered costs."""

from shared.domain import attempts, pricing
from shared.services import claims
from workers import context


def actual_micros(at: context.Context, claim: claims.Claim, attempt: attempts.Attempt) -> int:
    """The price of a finished attempt: its endpoint's prices when the job was accepted, times what was used. The
    job's estimate if that endpoint has left the catalog.
    """
    model = at.shelf.current.models.get(attempt.model)
    offers = [offer for offer in model.endpoints if offer.provider == attempt.provider] if model else []
    if model is None or not offers:
        return claim.job.estimate_micros
    snapshot = claim.prices.get(attempt.endpoint)
    offer = offers[0] if snapshot is None else pricing.at_prices(offers[0], snapshot)
    return pricing.actual(model, offer, claim.request, attempt.usage)

"""Which endpoints may serve a request, in which order and why, and why not the others. One pure function: `decide`."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.domain import endpoints, filters, models, offers, pricing, rankings, requests, requirements


@dataclass(frozen=True, slots=True)
class Candidate:
    """An endpoint that may be asked: the price it would have (micro-dollars), why it has its place, the parameters
    it would not pass on, the keys that may be used, and how many asks it may have at once.
    """

    offer: offers.Offer
    estimate_micros: int
    why: rankings.Why
    dropped: tuple[str, ...] = ()
    credentials: tuple[int, ...] = (0,)

    @property
    def name(self) -> str:
        """The endpoint's own name: `model@provider`."""
        return self.offer.name

    @property
    def model(self) -> models.Model:
        """What makes it."""
        return self.offer.model

    @property
    def endpoint(self) -> models.Endpoint:
        """The catalog's entry."""
        return self.offer.endpoint

    @property
    def provider(self) -> models.Provider:
        """Who would be asked."""
        return self.offer.provider

    @property
    def concurrency(self) -> int:
        """How many asks one key may have in the air; a probe is alone."""
        return 1 if self.why is rankings.Why.PROBED else self.offer.endpoint.limits.concurrency


@dataclass(frozen=True, slots=True)
class Excluded:
    """An endpoint that may not be asked, and the filter that took it out."""

    endpoint: str
    reason: filters.Filter


@dataclass(frozen=True, slots=True)
class Route:
    """The decision: candidates in the order they will be asked, and everything left out. `spare_micros` is the price
    of the dearest endpoint that could serve but is not wanted (`allow_fallbacks`): health may yet make it the first.
    """

    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...]
    spare_micros: int = 0

    def dearest_micros(self) -> int:
        """What must be reserved: the price of the dearest candidate, since any may serve."""
        return max((self.spare_micros, *(candidate.estimate_micros for candidate in self.candidates)))


def decide(
    request: requests.AnyRequest,
    catalog: models.Catalog,
    usable_providers: frozenset[str],
    *,
    snapshot: endpoints.Snapshot = endpoints.NOTHING_KNOWN,
    seed: str = "",
    sticky: str | None = None,
    asked: Sequence[str] = (),
) -> Route:
    """Order the endpoints of `model`, then of each of `models`; those with an outage come last of all. Models the
    catalog no longer has are left out. The same arguments give the same route.

    `seed` (the job's id) decides the lots; `sticky` is the endpoint to prefer unless the caller says how to choose;
    `asked` are those this job has asked: without fallbacks they stay its only ones.
    """
    return _Decision(
        request, catalog, usable_providers, snapshot, rankings.Ranker(request.provider, snapshot, seed, sticky)
    ).made(asked)


class _Decision:
    """One call of `decide`."""

    def __init__(
        self,
        request: requests.AnyRequest,
        catalog: models.Catalog,
        usable_providers: frozenset[str],
        snapshot: endpoints.Snapshot,
        ranker: rankings.Ranker,
    ) -> None:
        self._request = request
        self._catalog = catalog
        self._snapshot = snapshot
        self._ranker = ranker
        self._checks = [*filters.of_operator(usable_providers, snapshot), *filters.of_caller(request)]
        self._parameters = requirements.asked_parameters(request)
        self._form = pricing.form(request)
        self._excluded: list[Excluded] = []
        self._spare_micros = 0

    def made(self, asked: Sequence[str]) -> Route:
        """Decide."""
        ready: list[rankings.Ranked] = []
        broken: list[rankings.Ranked] = []
        for slug in self._request.asked_models():
            bids = self._bids(slug)
            if bids:
                ranking = self._ranker.rank(bids)
                if not self._request.provider.allow_fallbacks:
                    ranking = self._primary(bids, ranking, asked)
                ready += ranking.ready
                broken += ranking.broken
        candidates = tuple([self._candidate(*ranked) for ranked in (*ready, *broken)])
        return Route(candidates, tuple(self._excluded), self._spare_micros)

    def _bids(self, slug: str) -> list[rankings.Bid]:
        kept: list[rankings.Bid] = []
        offered = offers.of_model(self._catalog, slug)
        amounts = pricing.expected_amounts(offered[0].model, self._request) if offered else {}
        for offer in offered:
            failed = filters.first_failed(self._checks, offer)
            if failed is not None:
                self._excluded.append(Excluded(offer.name, failed))
                continue
            dropped = () if offer.takes.issuperset(self._parameters) else self._dropped(offer)
            kept.append(rankings.Bid(offer, offers.cost_micros(offer.tariff.of(*self._form), amounts), dropped))
        return kept

    def _dropped(self, offer: offers.Offer) -> tuple[str, ...]:
        return tuple(name for name in self._parameters if name not in offer.takes)

    def _primary(self, bids: list[rankings.Bid], ranking: rankings.Ranking, asked: Sequence[str]) -> rankings.Ranking:
        """Without fallbacks: those that `order` names, else the first; once one was asked, that one."""
        wanted = {bid.offer.name for bid in bids if bid.offer.name in asked}
        if self._request.provider.order:
            wanted = {bid.offer.name for bid in self._ranker.named_only(bids)}
        elif not wanted:
            wanted = {(*ranking.ready, *ranking.broken)[0].bid.offer.name}
        for bid in bids:
            if bid.offer.name not in wanted:
                self._excluded.append(Excluded(bid.offer.name, filters.Filter.ALLOW_FALLBACKS))
                if not self._request.provider.order:
                    self._spare_micros = max(self._spare_micros, bid.micros)
        return rankings.Ranking(
            [ranked for ranked in ranking.ready if ranked.bid.offer.name in wanted],
            [ranked for ranked in ranking.broken if ranked.bid.offer.name in wanted],
        )

    def _candidate(self, bid: rankings.Bid, why: rankings.Why) -> Candidate:
        credentials = self._snapshot.credentials_of(bid.offer.provider.name)
        return Candidate(bid.offer, bid.micros, why, bid.dropped, credentials)

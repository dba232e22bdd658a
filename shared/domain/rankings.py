"""The order in which the endpoints of a model are asked, and why each stands where it does. Pure."""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from shared.domain import endpoints, offers, requests, states

# One job in thirty goes to a random endpoint, so that one nobody chooses is still measured; but never to one that
# costs more than twice as much as the cheapest.
EXPLORED_SHARE = 1 / 30
EXPLORED_PRICE = 2.0
_HASH_RANGE = 2.0**64


class Why(StrEnum):
    """Why an endpoint has its place."""

    ORDERED = "order"
    STICKY = "sticky"
    CHEAPEST = "sort_price"
    QUICKEST = "sort_latency"
    MOST = "sort_throughput"
    WEIGHED = "weight"
    EXPLORED = "explored"
    PROBED = "probe"
    BROKEN = "outage"


class Bid(NamedTuple):
    """An offer with what depends on the request: the price (micro-dollars), and what it would not pass on."""

    offer: offers.Offer
    micros: int
    dropped: tuple[str, ...]


class Ranked(NamedTuple):
    """A bid with the reason for its place."""

    bid: Bid
    why: Why


class Ranking(NamedTuple):
    """`ready` in the order of asking; `broken` only when nobody else is left, of whatever model."""

    ready: list[Ranked]
    broken: list[Ranked]


class Ranker:
    """Ranks for one request. `seed` decides the lots; without one the likeliest order is given. `sticky` names the
    endpoint that is asked first unless the caller says how to choose.
    """

    def __init__(
        self, options: requests.ProviderOptions, snapshot: endpoints.Snapshot, seed: str, sticky: str | None
    ) -> None:
        self._options = options
        self._snapshot = snapshot
        self._seed = seed
        self._sticky = sticky
        self._named = {slug: place for place, slug in reversed(list(enumerate(options.order or ())))}

    def rank(self, bids: Sequence[Bid]) -> Ranking:
        """The bids for one model in their order."""
        ready = [bid for bid in bids if not self._is_broken(bid)]
        broken = [bid for bid in bids if self._is_broken(bid)] if len(ready) < len(bids) else []
        return Ranking(self._in_order(ready), [Ranked(bid, Why.BROKEN) for bid in sorted(broken, key=_price)])

    def named_only(self, bids: Iterable[Bid]) -> list[Bid]:
        """Those that `order` names; all, if it names none."""
        return [bid for bid in bids if self._place(bid) is not None] if self._named else list(bids)

    def _is_broken(self, bid: Bid) -> bool:
        health = self._snapshot.of(bid.offer.name)
        if health.breaker is endpoints.Breaker.HALF_OPEN:
            return health.in_flight > 0  # the probe is under way
        return health.breaker is endpoints.Breaker.OPEN

    def _in_order(self, bids: list[Bid]) -> list[Ranked]:
        if self._named:
            return self._as_named(bids)
        if self._options.sort is not None:
            key, why = self._sorting(self._options.sort)
            return self._with_probes(sorted(bids, key=key), why)
        return self._weighed(bids)

    def _as_named(self, bids: list[Bid]) -> list[Ranked]:
        named = [bid for bid in bids if self._place(bid) is not None]
        others = [bid for bid in bids if self._place(bid) is None]
        first = sorted(named, key=lambda bid: (self._place(bid) or 0, bid.micros))
        return [*self._with_probes(first, Why.ORDERED), *self._weighed(others)]

    def _place(self, bid: Bid) -> int | None:
        return min((self._named[slug] for slug in bid.offer.slugs if slug in self._named), default=None)

    def _with_probes(self, bids: list[Bid], why: Why) -> list[Ranked]:
        return [Ranked(bid, Why.PROBED if self._is_probe(bid) else why) for bid in bids]

    def _is_probe(self, bid: Bid) -> bool:
        return self._snapshot.of(bid.offer.name).breaker is endpoints.Breaker.HALF_OPEN

    def _sorting(self, sort: str) -> tuple[Callable[[Bid], tuple[float, float]], Why]:
        if sort == "price":
            return (lambda bid: (bid.micros, 0.0)), Why.CHEAPEST
        if sort == "latency":
            return (lambda bid: (self.seconds(bid.offer), bid.micros)), Why.QUICKEST
        return (lambda bid: (-self._throughput(bid.offer), bid.micros)), Why.MOST

    def seconds(self, offer: offers.Offer) -> float:
        """How long an ask takes: what was measured, else what the catalog says is usual."""
        return self._snapshot.of(offer.name).p50_seconds or offer.model.usual_seconds

    def _throughput(self, offer: offers.Offer) -> float:
        """Tokens a second for texts; else how many asks a second it can take at once."""
        if offer.model.kind is states.Kind.TEXT:
            return self._snapshot.of(offer.name).tokens_per_second or 0.0
        return offer.endpoint.limits.concurrency / max(self.seconds(offer), 0.001)

    def _weighed(self, bids: list[Bid]) -> list[Ranked]:
        """By lot: the chance to be first goes with the square of success over price. Endpoints that would drop a
        parameter come after those that take all; a probe and the sticky one go before everybody.
        """
        if len(bids) <= 1:
            return [Ranked(bid, self._reason(bid)) for bid in bids]
        lots = sorted(bids, key=lambda bid: (bool(bid.dropped), self._lot(bid)))
        explored = self._explored(lots)
        first = [bid for bid in lots if bid.offer.name == self._sticky or self._is_probe(bid) or bid is explored]
        first.sort(key=lambda bid: bid.offer.name != self._sticky)
        names = {bid.offer.name for bid in first}
        ordered = [*first, *(bid for bid in lots if bid.offer.name not in names)]
        return [Ranked(bid, Why.EXPLORED if bid is explored else self._reason(bid)) for bid in ordered]

    def _reason(self, bid: Bid) -> Why:
        if bid.offer.name == self._sticky:
            return Why.STICKY
        return Why.PROBED if self._is_probe(bid) else Why.WEIGHED

    def _lot(self, bid: Bid) -> float:
        """The smallest is first: an exponential lot whose rate is the weight, or the inverse weight itself."""
        inverse = (max(bid.micros, 1) / self._snapshot.of(bid.offer.name).outlook) ** 2
        return -math.log(self._chance(bid.offer.name)) * inverse if self._seed else inverse

    def _explored(self, lots: list[Bid]) -> Bid | None:
        if not self._seed or self._chance("explore") > EXPLORED_SHARE:
            return None
        most = EXPLORED_PRICE * min(bid.micros for bid in lots)
        fair = [bid for bid in lots if bid.micros <= most and not bid.dropped and not self._is_probe(bid)]
        return min(fair, key=lambda bid: self._chance(f"explore {bid.offer.name}"), default=None)

    def _chance(self, name: str) -> float:
        """A number in (0, 1], always the same for the same seed and name: a plan made again is the same plan."""
        digest = hashlib.blake2b(f"{self._seed} {name}".encode(), digest_size=8).digest()
        return (int.from_bytes(digest) + 1) / _HASH_RANGE


def _price(bid: Bid) -> int:
    return bid.micros

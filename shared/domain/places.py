"""The places a slice has at endpoints: how many rows it may ask there, and how many more it could have used. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.domain import capacity, routing


@dataclass(slots=True)
class Places:
    """One a slice. Without `counts`, whoever asks finds room: what is asked is limited elsewhere. `full` are endpoints
    that gave less than was wanted of them.
    """

    slice_name: str = ""
    counts: bool = False
    free: dict[str, list[int]] = field(default_factory=dict)
    lacking: Counter[str] = field(default_factory=Counter)
    full: set[str] = field(default_factory=set)
    demands: dict[str, capacity.Demand] = field(default_factory=dict)

    def take(self, candidate: routing.Candidate, credentials: Sequence[int]) -> int | None:
        """The key to ask with; None when there is no place, which is remembered as lacking. One of `credentials`."""
        if not self.counts:
            return credentials[0]
        name = candidate.name
        free = self.free.get(name, [])
        found = next((each for each in free if each in credentials), None)
        if found is None:
            self.demands[name] = self._demand(candidate)
            self.lacking[name] += 1
            return None
        free.remove(found)
        return found

    def _demand(self, candidate: routing.Candidate) -> capacity.Demand:
        return capacity.Demand(
            model=candidate.model.id,
            provider=candidate.provider.name,
            slot=self.slice_name,
            credentials=candidate.credentials,
            concurrency=candidate.concurrency,
            per_minute=candidate.endpoint.limits.requests_per_minute,
        )

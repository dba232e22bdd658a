"""The places of one slice at endpoints: taken before rows are, kept while they are asked, given back at the end."""

from collections import Counter
from collections.abc import Mapping

from shared.domain import models, places, slices
from shared.services import capacity

# Well below the time after which a silent slice's places are free.
RENEW_SECONDS = 20.0


class SlicePlaces:
    """One a turn of a slice. An answer makes no place free for others at once: the next row of the slice takes it."""

    def __init__(self, room: capacity.Capacity, slice_number: int) -> None:
        self._room = room
        # Rows did not get the places they would wait with: from now on none waits, lest it be at others' expense.
        self.crowded = False
        self._in_hand: dict[str, Counter[int]] = {}
        # What came back since the last `fill`: so many more will be asked there.
        self._back: Counter[str] = Counter()
        self.known = places.Places(slice_name=f"slice-{slice_number}", counts=True)

    def asked(self, ask: slices.Ask) -> None:
        """The row is in hand."""
        self._in_hand.setdefault(_name(ask), Counter())[ask.credential] += 1

    def answered(self, ask: slices.Ask) -> None:
        """The row is back."""
        self._in_hand[_name(ask)][ask.credential] -= 1
        self._back[_name(ask)] += 1

    async def fill(self, most: int, at_once: int) -> int:
        """Take places for what was lacking and for what came back, up to `most` each; answers how many it got. Rows
        beyond `at_once` only wait in hand: they leave others half of the places. Never raises but for the database.
        """
        wanted = Counter({name: max(self.known.lacking[name], self._back[name]) for name in self.known.demands})
        self._back.clear()
        self.known.lacking.clear()
        got = 0
        for name, count in wanted.items():
            more = min(count, most) - len(self.known.free.get(name, ()))
            if more > 0:
                got += await self._fill(name, more, at_once)
        return got

    async def _fill(self, name: str, more: int, at_once: int) -> int:
        left = at_once - sum(self._held(name).values())
        if left <= 0:
            granted = await self._take(name, more, self.known.demands[name].concurrency // 2)
            self.crowded |= granted < more
            return granted
        granted = await self._take(name, min(more, left))
        (self.known.full.add if granted < min(more, left) else self.known.full.discard)(name)
        return granted

    async def renew(self) -> None:
        """Say that the slice lives, with all it has."""
        for name in self.known.demands:
            await self._take(name, 0)

    async def close(self) -> None:
        """Give everything back. Never raises. May be repeated."""
        for demand in self.known.demands.values():
            await self._room.give_back_rows(demand)

    async def _take(self, name: str, count: int, spare: int = 0) -> int:
        granted = await self._room.take_rows(self.known.demands[name], self._held(name), count, spare)
        self.known.free.setdefault(name, []).extend(granted.credentials)
        return len(granted.credentials)

    def _held(self, name: str) -> Mapping[int, int]:
        return self._in_hand.get(name, Counter()) + Counter(self.known.free.get(name, ()))


def _name(ask: slices.Ask) -> str:
    return models.endpoint_name(ask.model.id, ask.endpoint.provider)

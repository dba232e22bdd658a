"""Room at endpoints: what providers let us do at once, over all workers. Work that finds none waits its turn."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared import clock
from shared.db import capacity as capacity_rows
from shared.db import engine
from shared.domain import attempts, capacity
from shared.queues import capacity as places
from shared.queues import limits

# Every key may be cold once; more than that, and Redis forgets as fast as it is told.
SPARE_TRIES = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Leave to ask. Without a `credential` Redis is away: the transaction that writes the attempt must count for
    itself (`demand`), and chooses the key.
    """

    credential: int | None
    demand: capacity.Demand


class Capacity:
    """The places of one process; all processes share them."""

    def __init__(self, db: engine.Database, redis_url: str) -> None:
        self._db = db
        self._places = places.Places(redis_url)
        self._rates = limits.Local()

    async def take(self, demand: capacity.Demand) -> Place:
        """Leave to ask now, with the key that has the most room. Raises FullError with the time to wait.
        May be repeated for the same slot. Commits nothing.
        """
        if not demand.credentials:
            raise capacity.FullError(capacity.LONGEST_WAIT_SECONDS)
        for _ in range(len(demand.credentials) + SPARE_TRIES):
            answer = await self._places.take(demand)
            match answer:
                case places.Taken():
                    return Place(answer.credential, demand)
                case places.Full():
                    seconds = capacity.pause_seconds(
                        answer.seconds, answer.turned_away, demand.concurrency, demand.slot
                    )
                    raise capacity.FullError(seconds)
                case places.Cold():
                    await self._tell(demand, answer.credential)
                case places.Away():
                    break
        return Place(None, demand)

    async def take_rows(
        self, demand: capacity.Demand, held: Mapping[int, int], wanted: int, spare: int = 0
    ) -> places.Granted:
        """Up to `wanted` places for a slice of a batch, whose name is `demand.slot`, and which has `held` by key; as
        long as `spare` of each key stay free for others. While Redis is away, the rate holds for each process by
        itself, and what is in the air is counted by the slice. Commits nothing; never raises but for the database.
        """
        for _ in range(len(demand.credentials) + SPARE_TRIES):
            answer = await self._places.take_rows(demand, held, wanted, spare)
            match answer:
                case places.Granted():
                    return answer
                case places.Cold():
                    await self._tell(demand, answer.credential)
                case places.Away():
                    break
        return self._by_itself(demand, wanted)

    def _by_itself(self, demand: capacity.Demand, wanted: int) -> places.Granted:
        taken, seconds = 0, capacity.LEAST_WAIT_SECONDS
        while taken < wanted:
            verdict = self._rates.take(demand.endpoint, demand.per_minute)
            if not verdict.allowed:
                seconds = max(verdict.retry_seconds, seconds)
                break
            taken += 1
        return places.Granted((demand.credentials[0],) * taken, seconds)

    async def give_back_rows(self, demand: capacity.Demand) -> None:
        """The slice is over: its places are free. Never raises. May be repeated."""
        await self._places.give_back_rows(demand)

    async def give_back(self, attempt: attempts.Attempt) -> None:
        """The attempt is over: its place is free. Never raises. May be repeated."""
        await self._places.give_back(attempt.endpoint, attempt.credential, attempt.reference)

    async def free(self, place: Place) -> None:
        """The place was not needed after all. Never raises. May be repeated."""
        if place.credential is not None:
            await self._places.give_back(place.demand.endpoint, place.credential, place.demand.slot)

    async def hold(self, endpoint: str, credential: int, seconds: float) -> None:
        """Tell the other processes at once what `endpoints.hold` has written down. Never raises."""
        await self._places.hold(endpoint, credential, seconds)

    async def close(self) -> None:
        """Close the connection. May be repeated."""
        await self._places.close()

    async def _tell(self, demand: capacity.Demand, credential: int) -> None:
        async with self._db.transaction() as connection:
            facts = await capacity_rows.facts(connection, demand, credential, clock.now())
        await self._places.tell(demand, credential, facts)

"""Work that comes at the same moment is done together. Nothing waits for company: what comes alone is begun at once,
and what comes meanwhile is the next group. If many come meanwhile, that one does not wait for the first to end.
"""

import asyncio
import collections
import contextvars
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")

MOST = 64
AT_ONCE = 2
# A group costs something by itself: so many must wait for a second one at the same time.
MANY = 16


class Gathering(Generic[A, R]):
    """One a process and kind of work. `work` answers for its items in their order; `apart` names what no two items of a
    group may share (None: nothing).
    """

    def __init__(
        self, work: Callable[[Sequence[A]], Awaitable[Sequence[R]]], apart: Callable[[A], Hashable] = lambda _: None
    ) -> None:
        self._work = work
        self._apart = apart
        self._waiting: collections.deque[tuple[A, asyncio.Future[R]]] = collections.deque()
        # Counted by hand: a task that is done stays in the set for a moment, and would be waited for in vain.
        self._working = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def do(self, item: A) -> R:
        """What the work answers for this item. Raises what the work raises, like everybody of the group."""
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if not self._working or (self._working < AT_ONCE and len(self._waiting) >= MANY):
            self._working += 1
            # Not in the context of the request that happens to be first.
            task = asyncio.create_task(self._do_all(), context=contextvars.Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await done

    async def _do_all(self) -> None:
        try:
            while self._waiting:
                if group := self._next():
                    await self._do_group(group)
        finally:
            self._working -= 1

    async def _do_group(self, group: Sequence[tuple[A, asyncio.Future[R]]]) -> None:
        try:
            answers = await self._work([item for item, _ in group])
        except Exception as error:  # noqa: BLE001 - theirs to answer
            for _, done in group:
                if not done.done():
                    done.set_exception(error)
        else:
            for (_, done), answer in zip(group, answers, strict=True):
                if not done.done():
                    done.set_result(answer)

    def _next(self) -> list[tuple[A, asyncio.Future[R]]]:
        """The longest waiting, without those whose callers have gone, and without two that must be apart."""
        group: list[tuple[A, asyncio.Future[R]]] = []
        later: list[tuple[A, asyncio.Future[R]]] = []
        taken: set[Hashable] = {None}
        while self._waiting and len(group) < MOST:
            item, done = self._waiting.popleft()
            name = self._apart(item)
            if done.cancelled():
                continue
            if name is None or name not in taken:
                group.append((item, done))
                taken.add(name)
            else:
                later.append((item, done))
        self._waiting.extendleft(reversed(later))
        return group

"""The desk: takes asks, decides, remembers. No HTTP in here, and no waiting, so that two asks with
one key can never both be taken.
"""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import time

import ulid

from shared.providers.sandbox import accounts, asks, generations, record, variants

MISMATCH = variants.Refusal(422, "idempotency_mismatch", "This Idempotency-Key was used with another body.")


@dataclasses.dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the account, the key sent along, and the address the sandbox was reached at."""

    account: accounts.Account
    idempotency_key: str
    origin: str


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """An accepted ask: the generation (new, or the one the key already had), and its answer's fate."""

    generation: generations.Generation
    cut: bool


class Desk:
    """All generations of one sandbox, by id, key and reference."""

    def __init__(self, book: record.Record, now: collections.abc.Callable[[], float] = time.time) -> None:
        self.book = book
        self.now = now
        self._by_id: dict[str, generations.Generation] = {}
        self._by_key: dict[tuple[str, str], generations.Generation] = {}
        self._by_reference: dict[tuple[str, str], list[generations.Generation]] = {}
        self._asked: collections.Counter[tuple[str, str, str]] = collections.Counter()
        self._load()

    def _load(self) -> None:
        for generation in self.book.generations():
            self._index(generation)
        for _, entry in self.book.entries():
            self._asked[entry.account, entry.model, entry.prefix] += 1

    def _index(self, generation: generations.Generation) -> None:
        self._by_id[generation.id] = generation
        if generation.idempotency_key:
            self._by_key[generation.account, generation.idempotency_key] = generation
        reference = generation.account, generation.ask.reference
        self._by_reference.setdefault(reference, []).append(generation)

    def take(self, caller: Caller, ask: asks.Ask) -> Taken | variants.Refusal:
        """Accept or refuse an ask; written down before this returns. Never raises."""
        place = caller.account.name, ask.model, ask.prefix()
        earlier = self._asked[place]
        self._asked[place] += 1
        known = self._known(caller)
        refusal = self._refusal(ask, known, earlier)
        if refusal:
            self.book.add(self._entry(caller, ask, refusal.code))
            return refusal
        line = ask.offer().variant.line
        first = line is variants.Line.CUT_FIRST and earlier == 0
        return self._accept(caller, ask, known, cut=first or line is variants.Line.CUT_ALWAYS)

    def _known(self, caller: Caller) -> generations.Generation | None:
        if not caller.account.deduplicates or not caller.idempotency_key:
            return None
        return self._by_key.get((caller.account.name, caller.idempotency_key))

    def _refusal(self, ask: asks.Ask, known: generations.Generation | None, earlier: int) -> variants.Refusal | None:
        if known:
            return None if known.ask == ask else MISMATCH
        refusal = ask.offer().variant.refusal
        if refusal and (refusal.first_asks is None or earlier < refusal.first_asks):
            return refusal
        return None

    def _accept(self, caller: Caller, ask: asks.Ask, known: generations.Generation | None, *, cut: bool) -> Taken:
        made = known or self._new(caller, ask)
        answer = ("deduplicated" if known else "accepted") + ("+cut" if cut else "")
        entry = self._entry(caller, ask, answer, made.id, deduplicated=known is not None)
        self.book.add(entry, None if known else made)
        if not known:
            self._index(made)
        return Taken(made, cut)

    def _new(self, caller: Caller, ask: asks.Ask) -> generations.Generation:
        return generations.Generation(
            # In order of time: of random ones SQLite writes a page for each.
            id=f"gen_{ulid.ULID().hex}",
            account=caller.account.name,
            ask=ask,
            model=ask.offer(),
            idempotency_key=caller.idempotency_key,
            origin=caller.origin,
            accepted_at=self.now(),
            cost_micros=generations.price(ask),
        )

    def _entry(
        self,
        caller: Caller,
        ask: asks.Ask,
        answer: str,
        generation_id: str | None = None,
        *,
        deduplicated: bool = False,
    ) -> record.Entry:
        return record.Entry(
            at=self.now(),
            account=caller.account.name,
            reference=ask.reference,
            prefix=ask.prefix(),
            idempotency_key=caller.idempotency_key,
            kind=ask.kind,
            model=ask.model,
            generation_id=generation_id,
            deduplicated=deduplicated,
            answer=answer,
        )

    def unreadable(self, caller: Caller, fault: asks.UnreadableError) -> None:
        """Write down an ask that could not be read."""
        entry = record.Entry(
            at=self.now(), account=caller.account.name, reference="", prefix="",
            idempotency_key=caller.idempotency_key, kind="", model="", generation_id=None,
            deduplicated=False, answer=fault.code,
        )  # fmt: skip
        self.book.add(entry)

    def find(self, id_: str, account: str | None = None) -> generations.Generation | None:
        """The generation, unless it is unknown, another account's, or lost."""
        found = self._by_id.get(id_)
        if found is None or (account is not None and found.account != account):
            return None
        return None if found.is_lost(self.now()) else found

    def any_of(self, id_: str) -> generations.Generation | None:
        """The generation, lost or not: for the record, which forgets nothing."""
        return self._by_id.get(id_)

    def search(self, account: str, reference: str) -> list[generations.Generation]:
        """All that were accepted under this reference and are not lost, oldest first."""
        now = self.now()
        found = self._by_reference.get((account, reference), [])
        return [generation for generation in found if not generation.is_lost(now)]

    def cancel(self, generation: generations.Generation) -> generations.Status | None:
        """Cancel it. CANCELLED: stopped in the queue, free; RUNNING: asked to stop; None: too late. May be repeated,
        with the same answer: one that was charged for never becomes `cancelled`, which callers read as free.
        """
        now = self.now()
        if generation.status(now) in (generations.Status.SUCCEEDED, generations.Status.FAILED):
            return None
        if generation.cancelled_at is None:
            generation.cancel(now)
            self.book.update(generation)
        free = generation.cancelled_at is not None and generation.cancelled_at < generation.starts_at()
        return generations.Status.CANCELLED if free else generations.Status.RUNNING

    def uncalled(self) -> list[generations.Generation]:
        """All that still owe a callback."""
        waiting = (made for made in self._by_id.values() if made.ask.callback_url)
        return [made for made in waiting if not made.called_back]

"""The sandbox's memory: what it accepted and every ask it was asked, in one SQLite file.

Every write is committed before the caller is answered. WAL with synchronous=NORMAL survives a
kill -9 of the process (not a power cut), at about 50 µs a write, so the writes run on the loop.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import pathlib
import sqlite3

from shared.providers.sandbox import asks, generations, variants

SCHEMA = """
create table if not exists generations (
  id text primary key, account text not null, ask text not null, idempotency_key text not null,
  origin text not null, accepted_at real not null, cost_micros integer not null,
  cancelled_at real, called_back integer not null default 0);
create table if not exists asks (
  seq integer primary key, at real not null, account text not null, reference text not null,
  prefix text not null, idempotency_key text not null, kind text not null, model text not null,
  generation_id text, deduplicated integer not null, answer text not null);
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One ask as the sandbox saw it. `generation_id` is None when it was not accepted; `answer` is
    `accepted`, `deduplicated`, either followed by `+cut`, or the code of the refusal.
    """

    at: float
    account: str
    reference: str
    prefix: str
    idempotency_key: str
    kind: str
    model: str
    generation_id: str | None
    deduplicated: bool
    answer: str


class Record:
    """One open file. Used from one thread only."""

    def __init__(self, file: pathlib.Path | str) -> None:
        self._connection = sqlite3.connect(str(file), isolation_level=None)
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = normal")
        self._connection.executescript(SCHEMA)

    def add(self, entry: Entry, generation: generations.Generation | None = None) -> None:
        """Write down an ask and, when it was newly accepted, its generation; both or neither."""
        if generation is None:
            self._add_entry(entry)
            return
        self._connection.execute("begin")
        self._add_generation(generation)
        self._add_entry(entry)
        self._connection.execute("commit")

    def _add_entry(self, entry: Entry) -> None:
        self._connection.execute(
            "insert into asks values (null, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            dataclasses.astuple(entry),
        )

    def _add_generation(self, made: generations.Generation) -> None:
        ask = made.ask.model_dump_json(exclude_none=True)
        self._connection.execute(
            "insert into generations values (?, ?, ?, ?, ?, ?, ?, null, 0)",
            (made.id, made.account, ask, made.idempotency_key, made.origin, made.accepted_at, made.cost_micros),
        )

    def update(self, made: generations.Generation) -> None:
        """Write down what may change of a generation."""
        self._connection.execute(
            "update generations set cancelled_at = ?, called_back = ? where id = ?",
            (made.cancelled_at, made.called_back, made.id),
        )

    def generations(self) -> collections.abc.Iterator[generations.Generation]:
        """All that was ever accepted, oldest first."""
        rows = self._connection.execute("select * from generations order by accepted_at, rowid")
        for id_, account, ask_json, key, origin, accepted_at, cost, cancelled_at, called in rows:
            ask = asks.Ask.model_validate_json(ask_json)
            yield generations.Generation(
                id_, account, ask, variants.MODELS[ask.model], key, origin, accepted_at, cost,
                cancelled_at, bool(called),
            )  # fmt: skip

    def entries(self, since: int = 0) -> collections.abc.Iterator[tuple[int, Entry]]:
        """Every ask after number `since`, with its number, oldest first."""
        rows = self._connection.execute("select * from asks where seq > ? order by seq", (since,))
        for seq, *columns in rows:
            entry = Entry(*columns)
            yield seq, dataclasses.replace(entry, deduplicated=bool(entry.deduplicated))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

"""What the list of jobs is to hold, as its form and its URL say it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from starlette import datastructures

from shared.domain import listings, states

SINCE = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}


@dataclass(frozen=True, slots=True)
class Filters:
    """The form's fields. What cannot be understood says nothing, so that a half typed word is no error."""

    kind: str = ""
    status: tuple[str, ...] = ()
    model: str = ""
    provider: str = ""
    since: str = ""
    metadata: str = ""

    def wanted(self, now: datetime) -> listings.JobFilter:
        """The same for the database."""
        name, sign, value = self.metadata.partition("=")
        return listings.JobFilter(
            kind=states.Kind(self.kind) if self.kind in set(states.Kind) else None,
            statuses=frozenset(states.JobStatus(item) for item in self.status if item in set(states.JobStatus)),
            model=self.model or None,
            provider=self.provider or None,
            created_after=now - SINCE[self.since] if self.since in SINCE else None,
            metadata={name.strip(): value.strip()} if sign else {},
        )

    @property
    def query(self) -> str:
        """The query string that shows this list again."""
        single = [(name, getattr(self, name)) for name in ("kind", "model", "provider", "since", "metadata")]
        return urlencode([*((n, v) for n, v in single if v), *(("status", item) for item in self.status)])

    @property
    def any(self) -> bool:
        """Whether anything is filtered."""
        return bool(self.query)


def of(fields: datastructures.ImmutableMultiDict[str, object]) -> Filters:
    """From a query or a form."""

    def one(name: str) -> str:
        return str(fields.get(name) or "").replace("\0", "").strip()[:200]

    return Filters(
        kind=one("kind"),
        status=tuple(str(item) for item in fields.getlist("status") if item),
        model=one("model"),
        provider=one("provider"),
        since=one("since"),
        metadata=one("metadata"),
    )

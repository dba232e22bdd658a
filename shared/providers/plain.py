"""What most providers have in common; an adapter says only where it differs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from shared.domain import faults, models, templates
from shared.providers import base, dialects, http, inputs, outcomes


@dataclass(frozen=True, slots=True)
class Order:
    """One submit, ready to be sent: a JSON `body` or a `form`, and how to read a good answer. The endpoint's options go
    into the body, or into the object `under` this key of it.
    """

    path: str
    read: Callable[[http.Reply], base.SubmitOutcome]
    body: Mapping[str, Any] | None = None
    form: http.Form | None = None
    seconds: float = http.SUBMIT_SECONDS
    headers: Mapping[str, str] | None = None
    under: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """A look that costs nothing and shows whether the key is good. `under` and `name`: where the answer lists models.
    `fine`: faults only those get whose key was taken, such as "no such task" for a task we made up.
    """

    path: str
    under: str = ""
    name: str = ""
    fine: frozenset[faults.FaultKind] = frozenset()


class PlainAdapter:
    """A provider with a bearer key, one submit and one poll, no search and no cancel. See base.Adapter."""

    abilities: ClassVar[models.Abilities]
    dialect: ClassVar[dialects.Dialect] = dialects.Dialect()
    visits: ClassVar[tuple[Visit, ...]] = ()

    def __init__(self, connection: base.Connection) -> None:
        self.connection = connection
        self.doubt: models.Doubt = self.abilities.doubt(connection.provider.doubt)

    def order(self, ask: base.Ask) -> Order:
        """What to send for this ask. Raises inputs.UnusableInputError."""
        raise NotImplementedError

    def place(self, upstream_id: str) -> str:
        """The path (or the whole URL) where a job is looked at."""
        raise NotImplementedError

    def progress(self, reply: http.Reply) -> base.PollOutcome:
        """What a good answer to a poll says. May raise http.MISSHAPEN."""
        raise NotImplementedError

    def additions(self, ask: base.Ask) -> Mapping[str, Any]:
        """What the endpoint's options add to a JSON body."""
        return options(ask)

    def headers(self) -> dict[str, str]:
        """What every request carries. A local engine may need no key."""
        return {"Authorization": f"Bearer {self.connection.key}"} if self.connection.key else {}

    async def submit(self, ask: base.Ask) -> base.SubmitOutcome:
        """See base.Adapter."""
        try:
            order = self.order(ask)
        except inputs.UnusableInputError as error:
            return base.Refused(faults.Fault(faults.FaultKind.INVALID_INPUT, str(error)))
        if order.body is not None:
            order = replace(order, body=_with(order.body, order.under, self.additions(ask)))
        return outcomes.of_submit(await self._send(order), self.dialect, order.read)

    async def find(self, reference: str) -> base.Accepted | None:  # noqa: ARG002 - the contract's name
        """See base.Adapter."""
        raise base.LookupFailedError

    async def poll(self, upstream_id: str) -> base.PollOutcome:
        """See base.Adapter."""
        return outcomes.of_poll(await self.ask("GET", self.place(upstream_id)), self.dialect, self.progress)

    async def cancel(self, upstream_id: str) -> base.Cancellation:  # noqa: ARG002 - the contract's name
        """See base.Adapter."""
        return base.Cancellation.UNSUPPORTED

    def download_headers(self, url: str) -> dict[str, str]:  # noqa: ARG002 - the contract's name
        """See base.Adapter."""
        return {}

    async def ask(self, method: str, place: str, body: Mapping[str, Any] | None = None) -> http.Answer:
        """One request that may be repeated, on a kept-alive connection."""
        return await http.send(
            self.connection.client,
            method,
            self._url(place),
            headers=self.headers(),
            body=body,
            seconds=http.POLL_SECONDS,
        )

    def is_own(self, url: str) -> bool:
        """Whether a URL is on the provider's own host, and may get its key."""
        theirs = origin(url)
        return theirs is not None and origin(self.connection.base_url) == theirs

    async def _send(self, order: Order) -> http.Answer:
        keyed = self.doubt is models.Doubt.KEYED
        return await http.send(
            self.connection.client if keyed else self.connection.fresh_client,
            "POST",
            self._url(order.path),
            headers=self.headers() | dict(order.headers or {}),
            body=order.body,
            form=order.form,
            seconds=order.seconds,
        )

    def _url(self, place: str) -> str:
        return place if is_web(place) else self.connection.base_url + place


def origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of a URL; None for what is no http(s) URL."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname.lower(), port) if parts.hostname and port else None


def is_web(url: str) -> bool:
    """Whether this is an http(s) URL."""
    return url.startswith(("http://", "https://"))


def escaped(upstream_id: str) -> str:
    """An id as part of a path."""
    return quote(upstream_id, safe="/")


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value."""
    return {key: value for key, value in fields.items() if value is not None}


def options(ask: base.Ask) -> dict[str, Any]:
    """The endpoint's options with the request's values in their places."""
    return templates.fill(ask.options, inputs.values(ask))


def _with(body: Mapping[str, Any], under: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    if not under:
        return given({**body, **extra})
    return given({**body, under: given({**body[under], **extra})})

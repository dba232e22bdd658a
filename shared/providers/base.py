"""The contract every provider adapter keeps. Adding a provider is one module that keeps it (docs/howto)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import aiohttp

from shared.domain import faults, models, outputs, requests, sizes, states


@dataclass(frozen=True, slots=True)
class Ask:
    """One submit: what to make, under which name of ours. `pixels` and `seconds` are what the request comes to with
    the model's defaults filled in; None where the kind has no such thing. `route` and `options` are the catalog's.
    """

    kind: states.Kind
    upstream_model: str
    request: requests.AnyRequest
    reference: str
    pixels: sizes.Pixels | None = None
    seconds: int | None = None
    callback_url: str | None = None
    route: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider works on it now and will be polled under this id."""

    upstream_id: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The provider is done and says where the results are."""

    sources: tuple[outputs.Source, ...]
    usage: outputs.Usage | None = None
    upstream_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider said no: nothing was accepted, nothing is charged."""

    fault: faults.Fault


@dataclass(frozen=True, slots=True)
class NotSent:
    """Known not to have reached the provider (connection refused, name unknown): safe to ask again."""

    fault: faults.Fault


@dataclass(frozen=True, slots=True)
class Unknown:
    """The line was cut after the bytes left: nobody can know whether it was accepted (promise P3)."""

    message: str


@dataclass(frozen=True, slots=True)
class Running:
    """Not done. A status word nobody knows counts as running; `odd_status` carries it for the counter."""

    progress: int | None = None
    retry_after_seconds: float | None = None
    odd_status: str | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The provider gave up after accepting. `cost_micros` is what it charged all the same."""

    fault: faults.Fault
    cost_micros: int = 0


@dataclass(frozen=True, slots=True)
class PollLost:
    """This poll told nothing (a cut line, a 5xx): poll again later; it never fails the job."""

    message: str
    retry_after_seconds: float | None = None


class Cancellation(StrEnum):
    """What became of asking a provider to stop."""

    CONFIRMED = "confirmed"
    REQUESTED = "requested"
    TOO_LATE = "too_late"
    UNSUPPORTED = "unsupported"


SubmitOutcome = Accepted | Finished | Failed | Refused | NotSent | Unknown
PollOutcome = Running | Finished | Failed | PollLost


class Adapter(Protocol):
    """One provider, with one credential. Methods never raise for what a provider does; they return it.

    A submit is one HTTP request at most, and nothing is ever retried. A poll, a look-up or a cancel, which may be
    repeated anyway, makes a second request where the provider keeps the answer in two places.
    """

    doubt: models.Doubt

    async def submit(self, ask: Ask) -> SubmitOutcome:
        """Ask for a generation. With doubt K the reference is sent as key, and repeating is safe."""
        ...

    async def find(self, reference: str) -> Accepted | None:
        """Only for doubt L: what was accepted under this reference, or None if nothing was.
        Raises LookupFailedError when the provider could not be asked.
        """
        ...

    async def poll(self, upstream_id: str) -> PollOutcome:
        """How far it is. May be repeated at any time."""
        ...

    async def cancel(self, upstream_id: str) -> Cancellation:
        """Ask the provider to stop. May be repeated. A lost answer is REQUESTED."""
        ...

    def download_headers(self, url: str) -> dict[str, str]:
        """Headers a result URL needs; credentials only for the provider's own host."""
        ...


class LookupFailedError(Exception):
    """The provider could not be asked what it accepted; ask again later."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What an adapter is built from: the catalog's entry, one key, and the process's shared clients.

    `fresh_client` opens a connection for every request. A submit that cannot be repeated safely goes through it:
    on a kept-alive connection that the provider has just closed, the answer "never arrived" cannot be told from
    "accepted, then cut".
    """

    provider: models.Provider
    base_url: str
    key: str
    client: aiohttp.ClientSession
    fresh_client: aiohttp.ClientSession

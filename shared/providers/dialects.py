"""From a provider's error answers to our faults: tables by its codes and by HTTP status."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.domain import faults
from shared.providers import http

MESSAGE_CHARACTERS = 500

BY_STATUS: Mapping[int, faults.FaultKind] = {
    400: faults.FaultKind.INVALID_INPUT,
    401: faults.FaultKind.AUTH,
    402: faults.FaultKind.OUT_OF_CREDIT,
    403: faults.FaultKind.AUTH,
    404: faults.FaultKind.NOT_FOUND,
    405: faults.FaultKind.NOT_FOUND,
    413: faults.FaultKind.INVALID_INPUT,
    422: faults.FaultKind.INVALID_INPUT,
    429: faults.FaultKind.THROTTLED,
}
"""Also the statuses that are a certain no to a submit. 408, 409 and 5xx are not among them: the job may run."""

_POLICY_WORDS = re.compile(
    r"content.?polic|moderat|safety|nsfw|sensitive (content|word)|prohibited content", re.IGNORECASE
)
_POLICY_KINDS = frozenset({faults.FaultKind.INVALID_INPUT, faults.FaultKind.AUTH, faults.FaultKind.UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error as its provider puts it: its codes, the most telling first, and a sentence."""

    codes: tuple[str, ...]
    message: str
    retry_after_seconds: float | None = None


def complaint(body: Mapping[str, Any]) -> Complaint:
    """The usual ways to put an error: `error` as an object or a text, `detail`, `errors`, `message`."""
    error = body.get("error")
    inner: Mapping[str, Any] = error if isinstance(error, dict) else body
    found = (inner.get("message"), error, body.get("detail"), body.get("errors"), body.get("message"))
    message = next((text for text in map(_sentence, found) if text), "")
    return Complaint(tuple(_codes(inner)), message)


def _codes(error: Mapping[str, Any]) -> Iterable[str]:
    metadata = error.get("metadata")
    if isinstance(metadata, dict):
        yield str(metadata.get("error_type"))
    details = error.get("details")
    if isinstance(details, dict):
        yield str(details.get("error_code"))
    for listed in (details, error.get("detail")):
        if isinstance(listed, list):
            yield from (str(item.get("reason") or item.get("type")) for item in listed if isinstance(item, dict))
    for key in ("code", "type", "status", "name", "error_type"):
        if isinstance(error.get(key), str | int):
            yield str(error[key])


def _sentence(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "; ".join(filter(None, map(_sentence, value)))
    if isinstance(value, dict):
        return _sentence(value.get("msg") or value.get("message") or "")
    return ""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a provider says no. `kinds`: by its codes. `refusing`: statuses beyond the usual that are a certain no.
    `in_band`: the complaint in an answer with a good status, for those that hide it there.
    """

    kinds: Mapping[str, faults.FaultKind] = field(default_factory=dict)
    refusing: Mapping[int, faults.FaultKind] = field(default_factory=dict)
    read: Callable[[Mapping[str, Any]], Complaint] = complaint
    in_band: Callable[[Mapping[str, Any]], Complaint | None] = lambda _: None

    def fault(self, reply: http.Reply) -> faults.Fault | None:
        """What is wrong according to this answer; None if nothing."""
        found = self.in_band(reply.json) if reply.json else None
        if found is None and reply.status < 400:
            return None
        found = found or self._complaint(reply.json or {})
        usual = {**BY_STATUS, **self.refusing}.get(reply.status, faults.FaultKind.UNAVAILABLE)
        wait = reply.retry_after_seconds if found.retry_after_seconds is None else found.retry_after_seconds
        return self.named(found.codes, found.message or f"Status {reply.status}.", usual, wait)

    def named(
        self,
        codes: Iterable[str],
        message: str,
        otherwise: faults.FaultKind = faults.FaultKind.UNAVAILABLE,
        retry_after_seconds: float | None = None,
    ) -> faults.Fault:
        """The fault of the first code we know, else of the words of the message, else `otherwise`."""
        kind = next((self.kinds[code] for code in codes if code in self.kinds), None)
        if kind is None:
            moderated = otherwise in _POLICY_KINDS and _POLICY_WORDS.search(message)
            kind = faults.FaultKind.CONTENT_POLICY if moderated else otherwise
        # Postgres takes no NUL in a text.
        return faults.Fault(kind, message.replace("\0", "")[:MESSAGE_CHARACTERS], retry_after_seconds)

    def is_certain(self, reply: http.Reply) -> bool:
        """Whether an answer with a fault means that nothing was accepted."""
        hidden = reply.json is not None and self.in_band(reply.json) is not None
        return hidden or reply.status in BY_STATUS or reply.status in self.refusing

    def _complaint(self, body: Mapping[str, Any]) -> Complaint:
        try:
            return self.read(body)
        except http.MISSHAPEN:
            return Complaint((), "")

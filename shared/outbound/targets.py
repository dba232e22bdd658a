"""Which URLs the world may make us call: webhook receivers, and results where a provider says they are.

A URL is checked twice. `check` and `resolve` when it is given to us, so that its owner hears at once which rule it
breaks; and every connection again (clients.py), because a name may mean another address by then.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import structlog
import yarl

from shared import logs, settings
from shared.outbound import addresses

URL_CHARACTERS = 8192
HOST_CHARACTERS = 253
RESOLVE_SECONDS = 5.0
# More answers than this are not tried one after the other: that is how a name wastes our time.
ADDRESSES = 4

_log: structlog.stdlib.BoundLogger = logs.get(__name__)

Lookup = Callable[[str, int], Awaitable[list[str]]]


class Rule(StrEnum):
    """What a URL breaks."""

    TOO_LONG = "too_long"
    BAD_CHARACTER = "bad_character"
    NOT_A_URL = "not_a_url"
    NOT_HTTPS = "not_https"
    CREDENTIALS = "credentials"
    PORT = "port"
    ODD_HOST = "odd_host"
    UNRESOLVABLE = "unresolvable"
    FORBIDDEN_ADDRESS = "forbidden_address"


class ForbiddenTargetError(OSError):
    """The URL breaks a rule; nothing was sent. An OSError, so that HTTP clients treat it as a failed connection."""

    def __init__(self, rule: Rule, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message


async def system_lookup(host: str, port: int) -> list[str]:
    """The addresses the system's resolver gives for a name; raises OSError when it gives none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


@dataclass(frozen=True, slots=True)
class Guard:
    """The deployment's rules. Empty `ports` allows every port."""

    allowed_networks: Sequence[addresses.Network] = ()
    allowed_local_networks: Sequence[addresses.Network] = ()
    allow_http: bool = False
    ports: frozenset[int] = frozenset({80, 443})
    lookup: Lookup = system_lookup

    def check(self, text: str) -> yarl.URL:
        """The URL, if it breaks no rule that can be told without asking a name server. Raises
        ForbiddenTargetError.
        """
        if len(text) > URL_CHARACTERS:
            raise ForbiddenTargetError(Rule.TOO_LONG, f"The URL is longer than {URL_CHARACTERS} characters.")
        # Parsers differ in what they make of these; one that drops them reads another host than we do.
        if re.search(r"[\x00-\x20\x7f\\]", text):
            raise ForbiddenTargetError(Rule.BAD_CHARACTER, "The URL holds a space, a control character or a backslash.")
        url = _parse(text)
        if url.scheme not in ({"https", "http"} if self.allow_http else {"https"}):
            raise ForbiddenTargetError(Rule.NOT_HTTPS, "The URL must begin with https://.")
        if url.raw_user is not None or url.raw_password is not None or "@" in url.raw_authority:
            raise ForbiddenTargetError(Rule.CREDENTIALS, "The URL holds a user name or password; use a header.")
        if self.ports and url.port not in self.ports:
            ports = ", ".join(map(str, sorted(self.ports)))
            raise ForbiddenTargetError(Rule.PORT, f"The port must be one of {ports}.")
        self._check_host(url.raw_host or "")
        return url

    async def resolve(self, host: str, port: int) -> list[str]:
        """The addresses to connect to. One forbidden answer among good ones refuses the name: that mixture is the
        mark of DNS rebinding. Raises ForbiddenTargetError.
        """
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = await self.lookup(host, port)
        except (OSError, UnicodeError):  # TimeoutError is an OSError
            found = []
        if not found:
            raise ForbiddenTargetError(Rule.UNRESOLVABLE, "The host of the URL does not resolve.")
        for address in found:
            self.vet(address)
        return found[:ADDRESSES]

    def vet(self, address: str) -> None:
        """Raise ForbiddenTargetError unless requests may go to this address."""
        parsed = ipaddress.ip_address(address.partition("%")[0])
        if not addresses.is_allowed(parsed, self.allowed_networks, self.allowed_local_networks):
            raise ForbiddenTargetError(
                Rule.FORBIDDEN_ADDRESS, "The host of the URL has a private, local or reserved address."
            )

    async def examine(self, text: str) -> None:
        """`check` and `resolve` in one, for a URL that was just given to us. Raises ForbiddenTargetError."""
        url = self.check(text)
        if literal(url.raw_host or "") is None:
            await self.resolve(url.raw_host or "", url.port or 443)

    def _check_host(self, host: str) -> None:
        if literal(host) is not None:
            self.vet(host)
        elif len(host) > HOST_CHARACTERS or _is_disguised(host):
            raise ForbiddenTargetError(Rule.ODD_HOST, "Write the host as a name or as a plain IP address.")


STRICTEST = Guard()


def configured_guard(configured: settings.Settings) -> Guard:
    """The guard for these settings. Raises ValueError naming a network that is none. Says loudly what it opens."""
    networks, local = configured.allowed_networks, configured.allowed_local_networks
    if networks or local or configured.allow_plain_http:
        opened = {"networks": list(networks), "said_twice": list(local)}
        _log.warning("outbound_requests_are_opened", **opened, plain_http=configured.allow_plain_http)
    return Guard(
        addresses.parse_networks(networks),
        addresses.parse_networks(local),
        configured.allow_plain_http,
        frozenset(configured.outbound_ports),
    )


def literal(host: str) -> addresses.Address | None:
    """The address a host is, if it is one in its usual form."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _parse(text: str) -> yarl.URL:
    """Parsed as aiohttp does it, so that we connect to what was checked."""
    try:
        url = yarl.URL(text)
        known = url.absolute and bool(url.raw_host) and url.port is not None and url.scheme in {"http", "https"}
    except ValueError:
        known = False
    if not known:
        raise ForbiddenTargetError(Rule.NOT_A_URL, "This is not a complete http(s) URL.")
    return url


def _is_disguised(host: str) -> bool:
    """2130706433, 127.1, 0x7f.0.0.1, 0177.0.0.1: what C libraries read as IPv4. No name ends in a number."""
    last = host.rstrip(".").rpartition(".")[2]
    return re.fullmatch(r"\d+|0[xX][0-9a-fA-F]*", last) is not None


def broken_rule(error: BaseException) -> ForbiddenTargetError | None:
    """What the guard raised, if that is behind an error: aiohttp and aiohappyeyeballs wrap it, in one exception or in a
    group.
    """
    waiting, seen = [error], 0
    while waiting and seen < 50:
        seen += 1
        found = waiting.pop()
        if isinstance(found, ForbiddenTargetError):
            return found
        if isinstance(found, BaseExceptionGroup):
            waiting += found.exceptions
        waiting += [e for e in (found.__cause__, found.__context__, getattr(found, "os_error", None)) if e is not None]
    return None
